consul {}
service {
  name = "consul.ocsp"
  tags = "edge"
  port = 8500
}
service {}

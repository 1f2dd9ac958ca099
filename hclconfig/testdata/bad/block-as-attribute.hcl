consul = {
  address = "127.0.0.1:8500"
}
job "edge" {
  certificates = ["/etc/haproxy/certs"]
}

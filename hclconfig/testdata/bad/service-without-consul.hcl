service {
  name = "ocsp"
}
job "edge" {
  certificate "www" {
    path = "/etc/haproxy/certs/www.pem"
  }
}

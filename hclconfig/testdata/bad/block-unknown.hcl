job "edge" {
  certifcate "www" {
    path = "/etc/haproxy/certs/www.pem"
  }
  delivery "haproxy" {}
}
consull {}

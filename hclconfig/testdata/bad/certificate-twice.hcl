job "edge" {
  certificate "www" {
    path = "/etc/haproxy/certs/www.pem"
  }
  certificate "www" {
    path = "/etc/haproxy/certs/www2.pem"
  }
}

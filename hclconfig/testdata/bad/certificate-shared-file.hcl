job "edge" {
  certificate "www" {
    path = "/etc/haproxy/certs/www.pem"
  }
}
job "internal" {
  certificate "api" {
    path      = "/etc/haproxy/certs/api.pem"
    ocsp_file = "/etc/haproxy/certs/www.pem.ocsp"
  }
}

job "edge" {
  certificate "www" {
    path      = "/etc/haproxy/certs/www.pem"
    ocsp_file = "/etc/haproxy/certs/www.pem"
  }
  certificate "api" {
    path      = "/etc/haproxy/certs/api.pem"
    ocsp_file = "/etc/haproxy/certs/api.der"
  }
  certificate "ftp" {
    path      = "/etc/haproxy/certs/ftp.pem"
    issuer    = "/etc/haproxy/ca.pem"
    ocsp_file = "/etc/haproxy/ca.pem"
  }
}

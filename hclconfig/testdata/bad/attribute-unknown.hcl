job "edge" {
  certificate "www" {
    path   = "/etc/haproxy/certs/www.pem"
    isuer  = "/etc/haproxy/certs/ca.pem"
    colour = "green"
  }
}
data_dri = "/srv/ocsp"

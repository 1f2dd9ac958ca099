job "edge" {
  certificate "www" {
    path = "/etc/haproxy/certs/www.pem"
    host = "ocsp.example.com"
    fetch {
      host = "ocsp.example.net"
    }
  }
}

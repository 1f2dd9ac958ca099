job "edge" {
  certificate "www" {
    path = "/etc/haproxy/certs/www.pem"
    fetch {
      min_delay = "1m"
      hots      = "ocsp.example.com"
    }
  }
}

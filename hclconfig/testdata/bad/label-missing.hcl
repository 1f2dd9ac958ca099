job {
  certificate {
    path = "/etc/haproxy/certs/www.pem"
  }
  certificates "all" {
    paths = ["/etc/haproxy/certs"]
  }
  deliver {}
}

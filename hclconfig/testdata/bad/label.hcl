job "edge/eu" {
  certificate ".." {
    path = "/etc/haproxy/certs/www.pem"
  }
  deliver "haproxy" "blue green" {}
}

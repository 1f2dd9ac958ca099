job "edge" {
  write_files = false
  certificate "www" {
    path = "/etc/haproxy/certs/www.pem"
  }
  deliver "haproxy" {
    method = "file"
  }
}

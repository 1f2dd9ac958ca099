job "edge" {
  certificate "www" {
    path = "/etc/envoy/certs/www.pem"
  }
  write_files = false
  deliver "exec" {
    command = ["/etc/envoy/staple.sh"]
    timeout = "10s"
  }
}

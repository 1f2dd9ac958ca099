job "edge" {
  certificate "www" {
    path = "/etc/haproxy/certs/"
  }
}
data_dir = ""

job "edge" {
  certificates {
    paths = ["/etc/haproxy/certs", "/etc/haproxy/certs"]
  }
}

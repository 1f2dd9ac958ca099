job "edge" {
  certificates {
    paths = ["/etc/haproxy/certs"]
  }
  deliver "haproxy" "blue" {
    socket     = "/run/haproxy/blue.sock"
    method     = "push"
    on_revoked = "remove"
  }
  deliver "haproxy" "green" {
    socket     = "/run/haproxy/green.sock"
    on_revoked = "keep"
  }
}

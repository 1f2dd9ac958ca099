job "edge" {
  deliver "haproxy" "blue" {}
  deliver "haproxy" "green" {
    socket = "/run/haproxy/admin.sock"
  }
}

job "edge" {
  deliver "haproxy" "blue" {
    socket = "/run/haproxy/blue.sock"
  }
  deliver "haproxy" "blue" {
    socket = "/run/haproxy/green.sock"
  }
}

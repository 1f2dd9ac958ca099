job "edge" {
  deliver "haproxy" "relative" {
    socket = "haproxy.sock"
  }
  deliver "haproxy" "prefixed" {
    socket = "unix@/run/haproxy/admin.sock"
  }
  deliver "haproxy" "port" {
    socket = "127.0.0.1:99999"
  }
}

job "edge" {
  deliver "haproxy" {
    method = "push"
    reload = ["systemctl", "reload", "haproxy"]
  }
}

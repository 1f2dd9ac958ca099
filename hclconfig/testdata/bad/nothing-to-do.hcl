job "edge" {
  deliver "haproxy" {}
}

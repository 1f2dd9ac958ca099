job "edge" {
  deliver "haproxy" {
    method     = "pull"
    on_revoked = "hide"
  }
}

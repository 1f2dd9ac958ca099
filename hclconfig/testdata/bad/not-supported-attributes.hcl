log_ocsp_update = true

fetch {
  history = 10
}
job "edge" {
  deliver "haproxy" {
    placeholder = true
  }
}

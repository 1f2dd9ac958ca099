log_ocsp_update = true

on_event {
  command = ["/usr/local/bin/event"]
  webhook = "https://hooks.example.com/staples"
  events  = ["revoked"]
  timeout = "10s"
}
fetch {
  history = 10
}
job "edge" {
  deliver "haproxy" {
    discover       = true
    max_concurrent = 2
    placeholder    = true
  }
}

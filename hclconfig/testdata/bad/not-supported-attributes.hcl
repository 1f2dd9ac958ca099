fallback        = false
log_ocsp_update = true

on_event {
  command = ["/usr/local/bin/event"]
  webhook = "https://hooks.example.com/staples"
  events  = ["revoked"]
  timeout = "10s"
}
consul {
  datacenters = ["dc2"]
}
fetch {
  proxy   = "http://user:geheim@proxy.example.com:3128"
  history = 10
}
job "edge" {
  fetch {
    proxy = "127.0.0.1:3128"
  }
  deliver "haproxy" {
    discover       = true
    max_concurrent = 2
    placeholder    = true
  }
}

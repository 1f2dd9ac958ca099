http {
  adress = "127.0.0.1:8509"
  tls {
    key_file = "tls.key"
  }
}
pull {
  address = "8888"
}
telemetry {
  statsd_address = "statsd"
}
service {
  tag = []
}
on_event {
  webhook = "hooks.example.com"
  events  = ["revokd"]
}
consul {}
syslog_facility = "LOCAL9"
fetch {
  proxy   = "proxy server"
  history = -1
}
job "edge" {
  crt_list {}
  haproxy_config {
    path = "haproxy.cfg"
  }
  deliver "nginx" {
    file = "/etc/nginx/ocsp/{cert}.ocsp"
  }
  deliver "nginx" "two" {
    reload = ["nginx", "-s", "reload"]
    file   = "/etc/nginx/ocsp/all.ocsp"
  }
  canary {
    every = "1s"
  }
}

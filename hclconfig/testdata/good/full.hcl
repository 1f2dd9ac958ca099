# Every setting that works, none of them at its default.
roles           = ["fetch"]
node_name       = "lb-1.example"
data_dir        = "/srv/ocsp"
lock_dir        = "/run/ocsp-locks"
trusted_folders = ["/opt/nomad/alloc", "/srv/certs/"]
fallback        = false

log_level            = "debug"
log_json             = true
log_file             = "/var/log/consul-ocsp.log"
log_rotate_bytes     = 1048576
log_rotate_max_files = 7
enable_syslog        = true
syslog_facility      = "DAEMON"
log_ocsp_update      = true

telemetry {
  metrics_prefix   = "ocsp"
  disable_hostname = true
  statsd_address   = "127.0.0.1:8125"
  dogstatsd_addr   = "127.0.0.1:8126"
  dogstatsd_tags   = ["edge"]
}

http {
  address        = "unix:///run/consul-ocsp/http.sock"
  staple_metrics = false
  hosts          = ["staples.example.com", "*.edge.example.com"]
  tls {
    cert_file = "/etc/ssl/status.pem"
    key_file  = "/etc/ssl/status.key"
    ca_file   = "/etc/ssl/operators.pem"
  }
}

pull {
  address = "unix:///run/consul-ocsp/pull.sock"
}

on_event {
  command = ["/usr/local/bin/tell", "operators"]
  webhook = "https://hooks.example.com/staples?key=geheim"
  events  = ["revoked", "expiring"]
  timeout = "10s"
}

consul {
  address     = "https://consul.example.com:8501"
  token       = "11111111-2222-3333-4444-555555555555"
  datacenter  = "dc2"
  namespace   = "tls"
  partition   = "edge"
  path        = "shared/ocsp"
  datacenters = ["dc1", "dc3"]
  session_ttl = "10s"
  lock_delay  = "1s"
  tls {
    enabled     = true
    ca_file     = "/etc/consul/ca.pem"
    cert_file   = "/etc/consul/client.pem"
    key_file    = "/etc/consul/client.key"
    server_name = "server.dc2.consul"
    verify      = false
  }
}
service {
  name = "ocsp-staples"
  tags = ["edge", "tls 1.3"]
}

announce {
  certificate_ttl = "24h"
  splay           = "0s"
  names           = true
  max             = 1000
}

fetch {
  min_delay               = "10m"
  max_delay               = "2h"
  timeout                 = "5s"
  proxy                   = "http://user:geheim@proxy.example.com:3128"
  responder               = ["http://ocsp.example.com/r1", "https://10.0.0.1:8443"]
  host                    = "ocsp.example.com"
  trusted_responders      = "/etc/ocsp/responders.pem"
  trusted_issuers         = "/etc/ocsp/issuers.pem"
  allowed_responders      = ["*.example.com", "10.0.0.1"]
  allow_private_addresses = true
  allow_sha1_signatures   = true
  concurrency             = 4
  rate                    = 20
  history                 = 30
}

job "edge" {
  fetch {
    min_delay = "30m"
    responder = []
    host      = ""
    history   = 0
  }
  certificate "www" {
    path      = "/etc/haproxy/certs/www.pem"
    issuer    = "/etc/haproxy/ca/issuer.pem"
    ocsp_file = "/var/lib/staples/www.der"
    fetch {
      responder          = [""]
      host               = "other.example.com:8080"
      trusted_responders = "/etc/ocsp/www.pem"
    }
  }
  certificate "api" {
    path = "/etc/haproxy/certs/api.pem"
  }
  certificates {
    paths   = ["/etc/haproxy/more", "/srv/*/certs/*.pem"]
    exclude = ["old-*", "/srv/test/**"]
  }
  crt_list {
    path = "/etc/haproxy/crt-list.txt"
  }
  haproxy_config {
    path = "/etc/haproxy/haproxy.cfg"
  }
  deliver "haproxy" "blue" {
    socket         = "/run/haproxy/blue.sock"
    method         = "reload"
    reload         = ["systemctl", "reload", "haproxy@blue"]
    discover       = true
    on_revoked     = "keep"
    min_interval   = "5m"
    max_concurrent = 3
    placeholder    = true
  }
  deliver "haproxy" "green" {
    socket     = "127.0.0.1:9999"
    method     = "push"
    on_revoked = "keep"
  }
  deliver "nginx" {
    reload = ["nginx", "-s", "reload"]
    test   = []
    file   = "/etc/nginx/ocsp/{name}.ocsp"
  }
  deliver "exec" "log" {
    command = ["/usr/bin/logger", "new staple"]
    timeout = "1m"
  }
}

job "watched" {
  connect = "lb.example.com:8443"
  certificate "bird" {
    path = "/etc/haproxy/canary/bird.pem"
  }
  deliver "haproxy" {
    socket = "/run/haproxy/watched.sock"
  }
  canary {
    certificate = "bird"
    revoke      = ["/usr/local/bin/canary", "revoke"]
    renew       = ["/usr/local/bin/canary", "renew"]
    every       = "12h"
    within      = "90m"
    timeout     = "10m"
  }
}

job "internal" {
  write_files  = false
  write_issuer = false
  connect      = "127.0.0.1:443"
  certificate "db" {
    path = "/etc/pki/db.pem"
  }
  deliver "exec" {
    command = ["/usr/local/bin/db-staple"]
  }
}

# Only sets how announced certificates of this job are fetched.
job "announced" {
  fetch {
    max_delay = "15m"
    min_delay = "1m"
  }
}

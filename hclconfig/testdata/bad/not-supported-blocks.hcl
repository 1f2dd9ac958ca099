http {
  address        = "127.0.0.1:8509"
  staple_metrics = false
  tls {
    cert_file = "/etc/consul-ocsp.d/tls.pem"
    key_file  = "/etc/consul-ocsp.d/tls.key"
    ca_file   = "/etc/consul-ocsp.d/ca.pem"
  }
}
pull {
  address = "unix:///run/consul-ocsp/pull.sock"
}
consul {}
job "edge" {
  canary {
    certificate = "canary"
    revoke      = ["/usr/local/bin/revoke"]
    renew       = ["/usr/local/bin/renew"]
    every       = "12h"
  }
}

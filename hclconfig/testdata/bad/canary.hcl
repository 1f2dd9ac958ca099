job "edge" {
  certificate "www" {
    path = "/etc/haproxy/certs/www.pem"
  }
  certificate "canary" {
    path = "/etc/haproxy/certs/canary.pem"
  }
  deliver "haproxy" {
    on_revoked = "keep"
  }
  canary {
    certificate = "canery"
    revoke      = []
    renew       = ["/usr/local/bin/renew"]
    every       = "1h"
  }
}
job "short" {
  certificate "canary" {
    path      = "/etc/haproxy/short.pem"
    responder = [""]
  }
  canary {
    certificate = "canary"
    revoke      = ["/usr/local/bin/canary"]
    renew       = ["/usr/local/bin/canary"]
    every       = "30s"
    within      = "5s"
  }
}

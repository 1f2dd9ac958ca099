consul {}
job "announced" {
  canary {
    certificate = "canary"
    revoke      = ["/usr/local/bin/revoke-canary"]
    renew       = ["/usr/local/bin/renew-canary"]
  }
}
job "edge" {
  certificate "www" {
    path = "/etc/haproxy/certs/www.pem"
  }
}
job "canary" {
  certificate "canary" {
    path = "/etc/haproxy/certs/www.pem"
  }
  canary {
    certificate = "canary"
    revoke      = ["/usr/local/bin/revoke-canary"]
    renew       = ["/usr/local/bin/renew-canary"]
  }
}

# The shortest job file: one certificate, no Consul, the HAProxy next door.
job "edge" {
  certificate "www" {
    path = "/etc/haproxy/certs/www.pem"
  }
  deliver "haproxy" {}
}

# What is left of defaults.hcl when every default is deleted.
consul {}
service {}
announce {}

job "edge" {
  certificate "www" {
    path = "/etc/haproxy/certs/www.pem"
  }
  certificates {
    paths = ["/etc/haproxy/certs"]
  }
  deliver "haproxy" {}
  deliver "exec" {
    command = ["/usr/local/bin/new-staple"]
  }
}
pull {}

http {
  address = "127.0.0.1:8509"
  tls {
    cert_file = "/etc/consul-ocsp.d/tls.pem"
    key_file  = "/etc/consul-ocsp.d/tls.key"
  }
}

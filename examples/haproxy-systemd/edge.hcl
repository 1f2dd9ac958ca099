consul {
  token_file = "/etc/consul-ocsp.d/token"
}
service {
  tags = ["edge"]
}
job "edge" {
  certificates {
    paths = ["/etc/haproxy/certs"]
  }
  deliver "haproxy" {
    socket = "/run/haproxy/admin.sock"
  }
}

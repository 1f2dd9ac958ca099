job "edge" {
  certificates {
    paths = ["/etc/haproxy/certs/[ab.pem"]
  }
  certificates {
    paths = []
  }
}

consul {
  address = "http://127.0.0.1:8500"
  tls {
    enabled   = true
    cert_file = "/etc/consul/client.pem"
  }
}

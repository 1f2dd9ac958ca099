consul {
  token      = "11111111-2222-3333-4444-555555555555"
  token_file = "/etc/consul-ocsp.d/token"
}

# A watch and its handler: both read what is published, and sync says which
# certificates its node holds. Neither can publish anything.
key_prefix "consul-ocsp/" {
  policy = "read"
}
key_prefix "consul-ocsp/v1/certificate/" {
  policy = "write"
}
key_prefix "consul-ocsp/v1/wanted/" {
  policy = "write"
}

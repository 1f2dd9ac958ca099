# Tasks of job consul-ocsp-sync: read what is published, say which certificates
# a node holds. They can't publish anything.
key_prefix "consul-ocsp/" {
  policy = "read"
}
key_prefix "consul-ocsp/v1/certificate/" {
  policy = "write"
}
key_prefix "consul-ocsp/v1/wanted/" {
  policy = "write"
}
key "consul-ocsp/v1/reload" {
  policy = "write"
}

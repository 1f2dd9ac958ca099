# Tasks of job edge: they read responses and nothing else.
key_prefix "consul-ocsp/v1/der/" {
  policy = "read"
}

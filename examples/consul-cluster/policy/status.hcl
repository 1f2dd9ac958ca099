# Whoever only looks: consul-ocsp status, consul-ocsp render, consul-template.
key_prefix "consul-ocsp/" {
  policy = "read"
}

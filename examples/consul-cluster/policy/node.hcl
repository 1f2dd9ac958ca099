# An agent that delivers. It reads what is published, says which certificates it
# holds, and reports under its own name; it can't publish anything. NODE is its
# node_name.
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
key "consul-ocsp/v1/node/NODE" {
  policy = "write"
}

# Tasks of job edge, on every node: read what is published, say which
# certificates a node holds, and report for it. All nodes have one role, so a
# task could report for another node; it can't publish anything.
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
key_prefix "consul-ocsp/v1/node/" {
  policy = "write"
}

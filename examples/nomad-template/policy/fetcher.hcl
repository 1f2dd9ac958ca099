# Tasks of job consul-ocsp-fetcher, which lead. The lock is a session of
# whatever Consul node the task's agent is.
key_prefix "consul-ocsp/" {
  policy = "read"
}
key_prefix "consul-ocsp/v1/" {
  policy = "write"
}
session_prefix "" {
  policy = "write"
}
agent_prefix "" {
  policy = "read"
}

# Tasks of job consul-ocsp-fetch: publish for the cluster under the lock. The
# lock is a session of whatever Consul node the task's agent is, so on a cluster
# it is any node.
key_prefix "consul-ocsp/" {
  policy = "read"
}
key_prefix "consul-ocsp/v1/" {
  policy = "write"
}
session_prefix "" {
  policy = "write"
}

# Whoever fetches: it publishes for the cluster while it holds the lock, which is
# a session of the Consul agent that it talks to. NODE is the name of that Consul
# agent's node.
key_prefix "consul-ocsp/" {
  policy = "read"
}
key_prefix "consul-ocsp/v1/" {
  policy = "write"
}
session "NODE" {
  policy = "write"
}

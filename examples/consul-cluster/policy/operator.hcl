# A person who operates the cluster. The second rule is for asking the leader
# for a fetch at once, which needs a later version than this.
key_prefix "consul-ocsp/" {
  policy = "read"
}
key_prefix "consul-ocsp/v1/request/" {
  policy = "write"
}

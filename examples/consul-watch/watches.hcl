# For the configuration folder of a node's Consul agent, which runs the handler
# whenever something was published. TOKEN is replaced below.
watches = [
  {
    type  = "key"
    key   = "consul-ocsp/v1/head"
    token = "TOKEN"
    args  = ["env", "NODE=node-2", "consul-ocsp", "sync", "-config-file=job/node.hcl", "-on-timeout=continue"]
  }
]

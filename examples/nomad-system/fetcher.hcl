# An agent that asks the responders. It holds no certificates: nodes announce
# theirs.
roles     = ["fetch"]
node_name = "fetcher-${env.NOMAD_ALLOC_INDEX}"
data_dir  = "${env.NOMAD_ALLOC_DIR}/data/consul-ocsp"

consul {} # address and token are in the environment

fetch {
  # What nodes announce is never looked up on private addresses or loopback,
  # unless the responder's host stands here. This example's is on loopback.
  allowed_responders = ["127.0.0.1"]

  # Ask every five seconds, so that nobody has to wait here. Leave both out at
  # home: the defaults are 5m and 1h.
  min_delay = "5s"
  max_delay = "5s"
}

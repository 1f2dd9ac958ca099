# The agent that asks the responders, for the whole cluster. It holds no
# certificates: nodes announce theirs. Run two or three of these; one is elected,
# the others stand by.
roles     = ["fetch"]
node_name = "fetcher"
data_dir  = "${env.RUN}/fetcher/data"

consul {
  token_file = "${env.RUN}/fetcher/token" # policy/leader.hcl
}

fetch {
  # What nodes announce is never looked up on private addresses or loopback,
  # unless the responder's host stands here. This example's is on loopback.
  allowed_responders = ["127.0.0.1"]

  # Ask every ten seconds, so that nobody has to wait here. Leave both out at
  # home: the defaults are 5m and 1h.
  min_delay = "10s"
  max_delay = "10s"
}

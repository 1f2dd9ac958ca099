# Asks the responders for the whole cluster, whenever it is run: by cron, by a
# systemd timer, by Nomad. It holds no certificates: nodes announce theirs.
roles     = ["fetch"]
node_name = "fetcher"
data_dir  = "${env.RUN}/fetcher/data"

consul {
  token_file = "${env.RUN}/fetcher/token" # policy/fetcher.hcl
}

fetch {
  # What nodes announce is never looked up on private addresses or loopback,
  # unless the responder's host stands here. This example's is on loopback.
  allowed_responders = ["127.0.0.1"]
}

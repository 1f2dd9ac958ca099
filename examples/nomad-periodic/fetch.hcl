# What the periodic job fetches: whatever nodes announce. Add jobs with
# certificates here if the fetcher's node has them.
roles     = ["fetch"]
node_name = "nomad-periodic" # in the record of who holds the lock
data_dir  = "${env.NOMAD_ALLOC_DIR}/data"

consul {} # address and token are in the environment

fetch {
  # What nodes announce is never looked up on private addresses or loopback,
  # unless the responder's host stands here. This example's is on loopback.
  allowed_responders = ["127.0.0.1"]

  # Ask in each run, so that nobody has to wait here. Leave both out at home: the
  # defaults are 5m and 1h, and a run that finds nothing due asks nobody.
  min_delay = "1s"
  max_delay = "1s"
}

# An agent that asks the responders, for certificates in its own folder.
roles     = ["fetch"]
node_name = "fetcher"
data_dir  = "${env.NOMAD_ALLOC_DIR}/data/consul-ocsp"

consul {} # address and token are in the environment

job "edge" {
  certificates {
    paths = ["${env.NOMAD_TASK_DIR}/certs"]
  }
  fetch {
    # Ask every five seconds, so that nobody has to wait here. Leave both out at
    # home: the defaults are 5m and 1h.
    min_delay = "5s"
    max_delay = "5s"
  }
}

# The agent of this node. It watches the folder that consul-template renders into,
# says which certificates are there, and keeps HAProxy stapled. There is only one
# node here, so it fetches as well.
node_name = "node-1"
data_dir  = "${env.RUN}/data"
lock_dir  = "${env.RUN}/lock"

consul {}

announce {
  splay = "1s" # many nodes had better not announce in the same moment: 20s is the default

  # v1/name/edge/www follows the newest certificate that a node announces under
  # this name. The leader's own certificates have their names there anyway, so
  # this is for fleets whose leader holds none.
  names = true
}

fetch {
  allowed_responders = ["127.0.0.1"] # this example's responder is on loopback
}

job "edge" {
  certificate "www" {
    path = "${env.RUN}/certs/www.pem"
  }
  deliver "haproxy" {
    socket = "${env.RUN}/haproxy.sock"
    # No reload here: staples get into HAProxy without one.
  }
}

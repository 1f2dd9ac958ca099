# The agent of one node. It never asks a responder: what it needs comes from
# Consul, is verified, written beside the certificate and pushed into HAProxy.
roles     = ["deliver"]
node_name = env.NODE # policy/node.hcl lets it write under this name
data_dir  = "${env.RUN}/${env.NODE}/data"
lock_dir  = "${env.RUN}/${env.NODE}/lock"

consul {
  token_file = "${env.RUN}/${env.NODE}/token"
}

announce {
  splay = "1s" # many nodes had better not announce in the same moment: 20s is the default
}

job "edge" {
  certificates {
    paths = ["${env.RUN}/${env.NODE}/certs"]
  }
  deliver "haproxy" {
    socket = "${env.RUN}/${env.NODE}/haproxy.sock"
  }
}

# What sync does on a node: what it needs comes from Consul, is verified, written
# beside the certificate and pushed into HAProxy.
roles     = ["deliver"]
node_name = env.NODE
data_dir  = "${env.RUN}/${env.NODE}/data"
lock_dir  = "${env.RUN}/${env.NODE}/lock"

consul {
  token_file = "${env.RUN}/${env.NODE}/token" # policy/node.hcl
}

job "edge" {
  certificates {
    paths = ["${env.RUN}/${env.NODE}/certs"]
  }
  deliver "haproxy" {
    socket = "${env.RUN}/${env.NODE}/haproxy.sock"
  }
}

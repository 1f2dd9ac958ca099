# The agent beside HAProxy, and the task before it. It never asks a responder.
roles     = ["deliver"]
node_name = env.NODE_NAME
data_dir  = "${env.NOMAD_ALLOC_DIR}/data/consul-ocsp"
lock_dir  = "${env.NOMAD_ALLOC_DIR}/data/sockets"

# Every task of the allocation can write to its shared folder, so Nomad makes it
# writable by every user of the machine that can get there. By default none can.
trusted_folders = [env.NOMAD_ALLOC_DIR]

consul {} # address and token are in the environment

announce {
  splay = "1s" # many nodes had better not announce in the same moment: 20s is the default
}

job "edge" {
  certificates {
    paths = ["${env.NOMAD_ALLOC_DIR}/certs"]
  }
  deliver "haproxy" {
    socket = "${env.NOMAD_ALLOC_DIR}/haproxy.sock"
  }
}

# What a node does with what was fetched.
roles    = ["deliver"]
data_dir = env.DATA
lock_dir = "${env.DATA}/sockets" # one lock file for each HAProxy socket

consul {} # address and token are in the environment

job "edge" {
  certificates {
    paths = [env.CERTS]
  }
  deliver "haproxy" {
    socket = env.SOCKET
  }
}

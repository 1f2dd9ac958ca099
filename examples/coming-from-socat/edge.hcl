# On each node of a cluster, add
#
#   consul {
#     token_file = "/etc/consul-ocsp.d/token"
#   }
data_dir = "${env.RUN}/data"
lock_dir = "${env.RUN}/lock"

fetch {
  # Ask every second, so that nobody has to wait here. Leave both out at home:
  # the defaults are 5m and 1h.
  min_delay = "1s"
  max_delay = "1s"
}

job "edge" {
  certificates {
    paths = ["${env.RUN}/certs"]
  }
  deliver "haproxy" {
    socket = "${env.RUN}/haproxy.sock"
  }
}

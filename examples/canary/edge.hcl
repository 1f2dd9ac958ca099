# On each node of a cluster, add
#
#   consul {
#     token_file = "/etc/consul-ocsp.d/token"
#   }
data_dir = "${env.RUN}/data"
lock_dir = "${env.RUN}/lock"

fetch {
  # Ask every second, so that nobody has to wait here. Leave both out at home: the
  # defaults are 5m and 1h, and that is what is to be measured.
  min_delay = "1s"
  max_delay = "1s"
}

job "edge" {
  connect = "127.0.0.1:8443" # left out at home: port 443
  certificates {
    paths = ["${env.RUN}/certs"]
  }
  deliver "haproxy" {
    socket = "${env.RUN}/haproxy.sock"
  }
  canary {
    certificate = "canary.example.test"
    revoke      = ["./revoke.sh"]
    renew       = ["./renew.sh"]
    within      = "1m"             # at home 2h
  }
}

# What fails, somebody should hear of.
on_event {
  command = ["/bin/sh", "-c", "echo \"$CONSUL_OCSP_EVENT: $CONSUL_OCSP_MESSAGE\" >> \"$RUN/events\""]
  events  = ["revoked", "canary"]
}

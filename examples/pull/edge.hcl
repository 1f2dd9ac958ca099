# One machine without a cluster. On each node of one, add
#
#   consul {
#     token_file = "/etc/consul-ocsp.d/token"
#   }
data_dir = "${env.RUN}/data"
lock_dir = "${env.RUN}/lock"

# Answers from data_dir, whoever asks about a certificate below.
pull {
  address = "127.0.0.1:8889"
}

fetch {
  # Where the CA's responder really is: the servers below know another name,
  # which leads nowhere. Leave it out at home.
  responder = ["http://127.0.0.1:8888"]

  # Ask every second, so that nobody has to wait here. Leave both out at home:
  # the defaults are 5m and 1h.
  min_delay = "1s"
  max_delay = "1s"
}

job "edge" {
  certificates {
    paths = ["${env.RUN}/certs"]
  }
  write_files = false # nobody reads them
}

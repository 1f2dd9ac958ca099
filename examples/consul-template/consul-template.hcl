# The certificate, and the only thing that HAProxy is reloaded for.
log_level   = "info"
kill_signal = "SIGTERM" # stops it; by default only SIGINT does

consul {
  address = "127.0.0.1:8500"
}

template {
  source      = "templates/www.pem.ctmpl"
  destination = "run/certs/www.pem"
  perms       = "0600" # there is a private key in it

  # Only when the file has changed. The script never waits, and several of these
  # in the same moment are one reload.
  command = ["./reload.sh"]

  # Changes that come within 2s of each other are rendered together.
  wait {
    min = "2s"
    max = "10s"
  }
}

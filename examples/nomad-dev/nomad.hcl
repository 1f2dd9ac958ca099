# A Nomad server and client in one, on loopback, for nomad agent -dev.
name      = "nomad-1"
bind_addr = "127.0.0.1"

advertise {
  http = "127.0.0.1"
  rpc  = "127.0.0.1"
  serf = "127.0.0.1"
}

ports {
  http = 4646
  rpc  = 4647
  serf = 4648
}

client {
  network_interface = "lo"
  options = {
    # Don't look for a cloud around this machine.
    "fingerprint.denylist" = "env_aws,env_gce,env_azure,env_digitalocean"
  }
}

# Each task logs in to Consul with its own identity, and gets a token with what
# policies grant to its job: no token is in a job file.
consul {
  address = "127.0.0.1:8500"

  service_identity {
    aud = ["consul.io"]
    ttl = "1h"
  }
  task_identity {
    aud = ["consul.io"]
    ttl = "1h"
  }
}

disable_update_check = true

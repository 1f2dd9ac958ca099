# With "consul agent -dev": one server on loopback that keeps nothing and allows
# everything. The rules for a real one are in ../consul-cluster/policy.
ports {
  http     = 8500
  server   = 8300
  serf_lan = 8301
  serf_wan = -1
  dns      = -1
  grpc     = -1
  grpc_tls = -1
}

disable_update_check = true
log_level            = "warn"

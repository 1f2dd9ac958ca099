# One Consul server on loopback that denies whatever a token does not grant.
server           = true
bootstrap_expect = 1
node_name        = "consul-1"
bind_addr        = "127.0.0.1"
client_addr      = "127.0.0.1"

acl {
  enabled        = true
  default_policy = "deny"
}

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

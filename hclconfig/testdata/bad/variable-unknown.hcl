consul {
  token = var.token
}
log_level = info
node_name = "${env}"

# For people and for monitoring, who only look.
consul {
  token_file = "${env.RUN}/status/token" # policy/status.hcl
}

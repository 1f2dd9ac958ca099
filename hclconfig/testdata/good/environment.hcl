# Each way to write a variable.
node_name = env.NODE
data_dir  = "/srv/${env.NODE}"
log_json  = env.JSON

consul {
  address = env["ADDRESS"]
  token   = "${env.TOKEN}"
}
fetch {
  concurrency = env.COUNT
  min_delay   = "${env.COUNT}m"
  responder   = ["http://${env.NODE}.example.com/"]
}

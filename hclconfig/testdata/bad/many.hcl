roles = ["fetch", "lead"]

job "edge" {
  certificate "www" {
    path = "www.pem"
  }
  deliver "haproxy" {
    sokcet = "/run/haproxy/admin.sock"
    min_interval = "1 minute"
  }
}

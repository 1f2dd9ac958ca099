job "removed" {
  certificate "www" {
    path = "/etc/nginx/certs/www.pem"
  }
  deliver "haproxy" {
    on_revoked = "remove"
  }
  deliver "nginx" {
    reload = ["nginx", "-s", "reload"]
  }
}
job "unwritten" {
  write_files = false
  certificate "www" {
    path = "/etc/nginx/certs/www.pem"
  }
  deliver "nginx" {
    reload = ["nginx", "-s", "reload"]
  }
}

fetch {
  history = 10001
}
job "a" {
  fetch {
    history = "all"
  }
  certificate "www" {
    path = "/etc/haproxy/certs/www.pem"
    fetch {
      history = 10
    }
  }
}
job "b" {
  fetch {
    history = 1.5
  }
}

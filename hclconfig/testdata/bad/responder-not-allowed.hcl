consul {}
fetch {
  allowed_responders = ["*.example.com"]
}
job "edge" {
  fetch {
    responder = ["http://r1.example.com/", "http://ocsp.example.net/"]
  }
  certificate "www" {
    path = "/etc/haproxy/certs/www.pem"
    fetch {
      responder = ["http://192.0.2.1:8080/"]
    }
  }
}

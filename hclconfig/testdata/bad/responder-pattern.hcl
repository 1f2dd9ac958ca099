consul {}
fetch {
  allowed_responders = ["http://ocsp.example.com", "ocsp.example.com:80"]
}

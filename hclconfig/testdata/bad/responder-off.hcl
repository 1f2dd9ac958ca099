consul {}
fetch {
  responder = ["", "http://ocsp.example.com"]
}

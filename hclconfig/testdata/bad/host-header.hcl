consul {}
fetch {
  host = "ocsp.example.com\r\nX-Forwarded-For: 127.0.0.1"
}

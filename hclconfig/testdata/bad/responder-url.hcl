consul {}
fetch {
  responder = ["ocsp.example.com", "ldap://ocsp.example.com/", "http:///r1", "http://ocsp.example.com:99999/"]
}

data_dir = "var/ocsp"
job "edge" {
  certificate "www" {
    path      = "certs/www.pem"
    ocsp_file = "./www.ocsp"
  }
  certificates {
    paths   = ["certs/*.pem"]
    exclude = ["old/*.pem"]
  }
}

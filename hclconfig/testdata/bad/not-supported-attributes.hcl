log_ocsp_update = true

fetch {
  history = 10
}

job "edge" {
  certificate "www" {}
  certificates {}
  deliver "exec" {}
}

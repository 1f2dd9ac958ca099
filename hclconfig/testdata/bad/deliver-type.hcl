job "edge" {
  deliver "haprox" {}
}

consul {
  address = "consul server"
}

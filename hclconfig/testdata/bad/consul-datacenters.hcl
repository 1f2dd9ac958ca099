consul {
  datacenter  = "dc1"
  datacenters = ["dc2", "dc1", "dc2"]
}

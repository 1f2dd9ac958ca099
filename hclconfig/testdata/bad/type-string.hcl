consul {
  address = 8500
}
data_dir = ["/srv"]

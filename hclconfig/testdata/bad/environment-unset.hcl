consul {
  token = env.MISSING_TOKEN
}
data_dir = "/srv/${env.MISSING_NODE}"

consul {}
fetch {
  concurrency = "many"
  rate        = 0.5
}
announce {
  max = 0
}

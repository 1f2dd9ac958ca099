fetch {
  history = 10
}

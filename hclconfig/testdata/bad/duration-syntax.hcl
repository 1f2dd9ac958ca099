consul {
  session_ttl = 30
  lock_delay  = "5"
}
fetch {
  min_delay = "5 minutes"
}

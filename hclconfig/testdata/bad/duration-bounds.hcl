consul {
  session_ttl = "5s"
  lock_delay  = "0s"
}
announce {
  certificate_ttl = "0s"
  splay           = "-1s"
}
fetch {
  timeout   = "0s"
  max_delay = "-1h"
}

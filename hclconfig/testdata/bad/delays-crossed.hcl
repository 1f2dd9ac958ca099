consul {}
fetch {
  min_delay = "2h"
}
job "edge" {
  fetch {
    max_delay = "1m"
  }
}

consul {}
certificate_ttl = "1h"
jobs = "edge"
log_levels {}

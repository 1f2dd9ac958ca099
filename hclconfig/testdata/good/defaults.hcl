# Every setting of consul-ocsp with its default, so that this file does what an
# empty one does: delete whatever you don't change. Settings without a default
# have an example value and say "required".
#
# "${env.NAME}" in a string, or env.NAME instead of one, is replaced from the
# environment; a variable that is not set is an error. Durations have units:
# "90s", "5m", "1h30m". Paths are absolute. Files with certificates are PEM.
#
# A configuration may be split over several files; the blocks and settings of
# all of them count together, and none may be there twice.

# What this agent does: "fetch" takes part in the election of the one agent that
# asks the responders; "deliver" brings staples to this node's servers.
roles = ["fetch", "deliver"]

# The node in status tables. Empty: what Consul calls this node, else the host.
node_name = ""

# Where verified responses survive restarts. Made with mode 0700.
data_dir = "/var/lib/consul-ocsp"

# One lock file for each HAProxy socket: one process at a time speaks to it.
lock_dir = "/run/lock/consul-ocsp"

# Folders that are accepted although other users can write there.
trusted_folders = []

# Fetch for the node's own certificates while the cluster can't.
fallback = true

log_level            = "info" # trace, debug, info, warn, error, off
log_json             = false
log_file             = ""     # empty: standard error
log_rotate_bytes     = 0      # start a new file at this size; 0: never
log_rotate_max_files = 0      # keep as many old files; 0: all
enable_syslog        = false  # to the machine's syslog, too
syslog_facility      = "LOCAL0"
log_ocsp_update      = false  # HAProxy's <OCSP-UPDATE> line for each update, at level info

# Without this block the agent is standalone: data_dir is its store.
# What stays empty here is taken from Consul's variables (CONSUL_HTTP_TOKEN,
# CONSUL_CACERT, …); CONSUL_HTTP_ADDR, CONSUL_HTTP_SSL and CONSUL_HTTP_SSL_VERIFY
# count where address, enabled and verify are left out.
consul {
  address    = "127.0.0.1:8500" # also https://host:port, unix:///path
  token      = ""               # better: token_file, or env.NAME
  token_file = ""
  datacenter = ""
  namespace  = ""
  partition  = ""

  path        = "consul-ocsp/" # all keys are below; the same for the whole cluster
  datacenters = []             # further ones to publish to, and to fetch for
  session_ttl = "30s"          # how soon a dead leader is noticed, from 10s to 24h
  lock_delay  = "5s"           # pause before its lock is free again, at most 1m

  tls {
    enabled     = false
    ca_file     = ""
    cert_file   = "" # client certificate, together with key_file
    key_file    = ""
    server_name = "" # name in the server's certificate, where not its host
    verify      = true
  }
}

# With this block the agent is in Consul's catalog and DNS, and each node's check
# is passing, warning or critical as its staples are.
service {
  name = "consul-ocsp"
  tags = []
}

# With this block the agent answers OCSP requests for its node's certificates,
# and while it leads for all nodes', from verified responses: for servers that ask
# a responder and know no files.
pull {
  address = "127.0.0.1:8888" # or unix:///absolute/path
}

# With this block the agent shows over HTTP what it knows: /v1/status as JSON,
# /v1/health/ready, /v1/metrics for Prometheus. Nothing can be changed there.
http {
  address        = "127.0.0.1:8509" # required; or unix:///absolute/path
  staple_metrics = true             # metrics of each certificate, of 10,000 at most
  hosts          = []               # names like "staples.example.com" by which others ask; addresses and local names may always
  # Without this block plain HTTP is spoken. The files are read again with HUP.
  tls {
    cert_file = "/etc/consul-ocsp.d/tls.pem" # required
    key_file  = "/etc/consul-ocsp.d/tls.key" # required
    ca_file   = ""                           # clients must show a certificate of one of these CAs
  }
}

# Where figures go, every 10 seconds. USR1 prints them to standard error.
telemetry {
  metrics_prefix   = "consul_ocsp"
  disable_hostname = false # gauges carry the host's name
  statsd_address   = ""
  dogstatsd_addr   = ""
  dogstatsd_tags   = []
}

# How nodes tell the cluster which certificates they hold.
announce {
  certificate_ttl = "48h"  # no longer fetched so long after the last announcement
  splay           = "20s"  # nodes wait up to this long, so that not all write at once
  names           = false  # publish the names of announced certificates too
  max             = 50000  # the leader accepts no more than these
}

# How responses are fetched, for all jobs. A job may have a fetch block of its
# own for what is different there; one in a certificate may set the three marked
# with (*).
fetch {
  min_delay = "5m"  # the next fetch is at half of a response's life,
  max_delay = "1h"  # but neither sooner nor later than these
  timeout   = "10s" # for one exchange from connecting to the last byte
  proxy     = ""    # URL or host:port; empty: HTTP_PROXY and HTTPS_PROXY. NO_PROXY counts always

  responder          = [] # (*) URLs instead of the certificate's; [""]: don't fetch
  host               = "" # (*) Host header
  trusted_responders = "" # (*) file: certificates that may sign besides the issuer's own
  trusted_issuers    = "" # file: announced certificates must chain to one of these

  allowed_responders      = []    # hosts that may be asked, as in "*.example.com"
  allow_private_addresses = false # for announced certificates and redirects
  allow_sha1_signatures   = false

  concurrency = 32  # exchanges at a time with one responder at most; it begins with an eighth, 4 to 16
  rate        = 200 # and per second

  history = 0 # signed responses kept of each certificate as evidence, in data_dir
}

# A job: certificates, and where their staples go. There can be any number.
job "edge" {

  # One certificate under a name of its own.
  certificate "www" {
    path      = "/etc/haproxy/certs/www.pem" # required; the first certificate in it is the leaf
    issuer    = ""                           # file; empty: in the PEM, then <path>.issuer, then the CA's URL
    ocsp_file = ""                           # empty: <path>.ocsp, or what haproxy_config says
  }

  # Many certificates, named by their file names without ending.
  certificates {
    paths   = ["/etc/haproxy/certs"] # required; folders and globs
    exclude = []                     # globs for paths, or for file names
  }

  # The certificates of a HAProxy crt-list.
  # crt_list {
  #   path = "/etc/haproxy/crt-list.txt" # required
  # }

  # What HAProxy's configuration loads: bind, crt-list, crt-store. It also says
  # where HAProxy looks for files beside certificates, for all of this job's.
  # haproxy_config {
  #   path = "/etc/haproxy/haproxy.cfg" # required; several blocks: in HAProxy's order
  # }

  # What is different from the fetch block above.
  fetch {}

  write_files  = true # write <path>.ocsp, whatever the targets
  write_issuer = true # and <path>.issuer where HAProxy would miss it
  connect      = ""   # host:port where clients connect: the page, status -here and a canary look at what they get

  # A HAProxy. Several are told apart by a second label: deliver "haproxy" "blue".
  deliver "haproxy" {
    socket         = "/run/haproxy/admin.sock" # or host:port; the master's socket too
    method         = "auto"                    # push: never reload; reload: always; file: write files only
    reload         = []                        # command; empty: only the master socket can reload
    discover       = false                     # ask it which certificates it serves, and staple those too
    on_revoked     = "staple"                  # keep: the last good one goes on; remove: no staple, by a reload
    min_interval   = "1m"                      # between two reloads
    max_concurrent = 1                         # nodes of the cluster that reload at a time
    placeholder    = false                     # an empty .ocsp where none is yet: pushes work from HAProxy's start on
  }

  # An nginx with ssl_stapling_file. It is reloaded for what was written since, at
  # half of a loaded staple's life or when a status changes.
  # deliver "nginx" {
  #   reload = ["nginx", "-s", "reload"] # required
  #   test   = ["nginx", "-t"]           # no reload where it fails; empty: no test
  #   file   = ""                        # empty: <path>.ocsp; "/etc/nginx/ocsp/{name}.ocsp", or with {id}
  # }

  # A command for each new response: DER on its standard input; CONSUL_OCSP_ID,
  # _JOB, _NAME, _CERT, _FILE, _STATUS, _THIS_UPDATE and _NEXT_UPDATE are set.
  deliver "exec" {
    command = ["/usr/local/bin/new-staple"] # required; run without a shell
    timeout = "30s"
  }

  # A certificate of a private CA that is there to be revoked and renewed on
  # schedule: measured is how long it takes until clients of each node see it. The
  # block belongs in the job files of all nodes that have the certificate, and of
  # the agents that may lead, which run the commands. Clients of a node are where
  # connect says, else at 127.0.0.1:443.
  # canary {
  #   certificate = "canary"                          # required; its name in this job
  #   revoke      = ["/usr/local/bin/revoke-canary"]  # required; run without a shell, with CONSUL_OCSP_ID, _JOB, _NAME, _CERT
  #   renew       = ["/usr/local/bin/renew-canary"]   # required; ends every round, and is tried until it works
  #   every       = "24h"                             # from one revocation to the next
  #   within      = "2h"                              # nodes must show it by then; half of every at most
  #   timeout     = "1m"                              # of a command
  # }
}

# Whom the agent that fetches tells when something happens.
on_event {
  command = [] # run without a shell; the event is JSON on its standard input, and CONSUL_OCSP_EVENT, …
  webhook = "" # URL; the event is posted as JSON
  events  = ["revoked", "expiring", "recovered", "leader", "canary"]
  timeout = "30s"
}

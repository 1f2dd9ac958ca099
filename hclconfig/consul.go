package hclconfig

import "time"

// Consul is the cluster's store. What is empty here is taken from Consul's own
// environment variables by whoever makes the client; Address, TLS.Enabled and
// TLS.Verify have them taken into account already, since their defaults are
// not empty.
type Consul struct {
	Address    string // host:port, http(s)://host:port or unix:///absolute/path
	Token      Secret
	TokenFile  string // absolute
	Datacenter string
	Namespace  string
	Partition  string

	Path        string   // root of our keys: ends with "/", starts without
	Datacenters []string // publish to these too
	SessionTTL  time.Duration
	LockDelay   time.Duration // never 0
	TLS         ConsulTLS
	Source      Source
}

// ConsulTLS is the TLS to Consul. Files are absolute paths.
type ConsulTLS struct {
	Enabled    bool
	CAFile     string
	CertFile   string
	KeyFile    string
	ServerName string
	Verify     bool
}

// Announce is how nodes tell the cluster which certificates they hold.
type Announce struct {
	CertificateTTL time.Duration
	Splay          time.Duration // may be 0
	Names          bool          // names of announced certificates may be published
	Max            int           // announced certificates in the cluster
}

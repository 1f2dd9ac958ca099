package hclconfig

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

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
	Source         Source        // Line 0: no block
}

// consul reads the consul block.
func (p *parser) consul(b *block) *Consul {
	c := DefaultConsul()
	c.Source = b.source()
	p.consulEnvironment(b, &c)
	b.text("address", &c.Address, consulAddress)
	b.text("token", (*string)(&c.Token), printable)
	b.text("token_file", &c.TokenFile, orEmpty(absoluteFile))
	b.text("datacenter", &c.Datacenter, orEmpty(isLabel))
	b.text("namespace", &c.Namespace, orEmpty(isLabel))
	b.text("partition", &c.Partition, orEmpty(isLabel))
	b.text("path", &c.Path, keyPath)
	b.texts("datacenters", &c.Datacenters, isLabel)
	b.unique("datacenters", c.Datacenters)
	if i := slices.Index(c.Datacenters, c.Datacenter); i >= 0 {
		p.invalid("datacenters", elementRange(b.attrs["datacenters"].Expr, i), fmt.Sprintf("%q is this agent's own datacenter, which is published to anyway. Remove it here.", c.Datacenter))
	}
	b.duration("session_ttl", &c.SessionTTL, 10*time.Second, day)
	b.duration("lock_delay", &c.LockDelay, instant, time.Minute)
	if c.Token != "" && c.TokenFile != "" {
		p.fail(b.place("token_file"), "Two tokens", "token and token_file are both set, and only one can count. Remove one of them.")
	}
	if tls := b.one("tls"); tls != nil {
		p.consulTLS(tls, &c)
	}
	b.done()
	c.Path = strings.TrimSuffix(c.Path, "/") + "/"
	return &c
}

func (p *parser) consulTLS(b *block, c *Consul) {
	t := &c.TLS
	b.boolean("enabled", &t.Enabled)
	b.text("ca_file", &t.CAFile, orEmpty(absoluteFile))
	b.text("cert_file", &t.CertFile, orEmpty(absoluteFile))
	b.text("key_file", &t.KeyFile, orEmpty(absoluteFile))
	b.text("server_name", &t.ServerName, orEmpty(hostHeader))
	b.boolean("verify", &t.Verify)
	b.done()
	if (t.CertFile == "") != (t.KeyFile == "") {
		p.fail(b.place("cert_file", "key_file"), "Half a key pair", "cert_file and key_file belong together. Set both of them or none.")
	}
	if t.Enabled && strings.HasPrefix(c.Address, "http://") {
		p.fail(b.place("enabled"), "TLS to a plain address",
			fmt.Sprintf("address = %q says plain HTTP, enabled = true says TLS. Write the address with https:// or without a scheme.", c.Address))
	}
}

// consulEnvironment takes over what Consul's own variables say for settings
// whose default is not empty.
// https://developer.hashicorp.com/consul/commands#environment-variables
func (p *parser) consulEnvironment(b *block, c *Consul) {
	if v, _ := p.environ("CONSUL_HTTP_ADDR"); v != "" {
		if problem := consulAddress(v); problem != "" && !b.has("address") {
			p.invalid("CONSUL_HTTP_ADDR", b.at, problem)
		}
		c.Address = v
	}
	c.TLS.Enabled = p.consulSwitch(b, "CONSUL_HTTP_SSL", c.TLS.Enabled)
	c.TLS.Verify = p.consulSwitch(b, "CONSUL_HTTP_SSL_VERIFY", c.TLS.Verify)
}

func (p *parser) consulSwitch(b *block, name string, otherwise bool) bool {
	v, _ := p.environ(name)
	if v == "" {
		return otherwise
	}
	on, err := strconv.ParseBool(v)
	if err != nil {
		p.invalid(name, b.at, fmt.Sprintf("The environment variable is %q. It is either true or false.", v))
		return otherwise
	}
	return on
}

// keyPath accepts the root of our keys.
func keyPath(v string) string {
	inner := strings.TrimSuffix(v, "/")
	if len(inner) > maxKeyPath {
		return fmt.Sprintf("It is %d bytes long. Keys are limited, so write at most %d.", len(inner), maxKeyPath)
	}
	for part := range strings.SplitSeq(inner, "/") {
		if isLabel(part) != "" {
			return fmt.Sprintf("%q is no folder of keys. Write names of letters, digits, \".\", \"_\" and \"-\" with one slash between: \"consul-ocsp/\".", v)
		}
	}
	return ""
}

// announce reads the announce block.
func (p *parser) announce(b *block, a *Announce) {
	a.Source = b.source()
	b.duration("certificate_ttl", &a.CertificateTTL, instant, 366*day)
	b.duration("splay", &a.Splay, 0, time.Hour)
	b.boolean("names", &a.Names)
	b.number("max", &a.Max, 1, 1_000_000)
	b.done()
}

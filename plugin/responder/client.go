package responder

import (
	"crypto/x509"
	"net"
	"time"

	"golang.org/x/net/http/httpproxy"
)

// Limits of one exchange.
const (
	// DefaultTimeout is that of a request that names none.
	DefaultTimeout = 10 * time.Second
	// MaxBody is the longest body of an answer, in bytes.
	MaxBody = 64 << 10
	// MaxRedirects is how many redirects are followed.
	MaxRedirects = 3
	// MaxGETURL is the longest URL that is asked by GET first, in bytes
	// (RFC 5019 section 5).
	MaxGETURL = 255
)

// Config is what a Client is made from. The zero Config is good.
type Config struct {
	// UserAgent is sent with every request; default "consul-ocsp".
	UserAgent string
	// RootCAs verify https servers; nil: the system's.
	RootCAs *x509.CertPool
	// Resolver resolves host names; nil: the system's.
	Resolver *net.Resolver
	// Proxy says which proxy a request goes through that names none; nil: what
	// HTTP_PROXY, HTTPS_PROXY and NO_PROXY say when the client is made. Its
	// NoProxy counts for requests that name one, too.
	Proxy *httpproxy.Config
	// Now is the clock by which dates in headers are read and connections and
	// what was learned of methods grow old; default time.Now.
	Now func() time.Time
}

// Client asks responders. Its methods may be called concurrently.
type Client struct {
	userAgent string
	now       func() time.Time
	// A pool of connections for each set of rules under which they were
	// dialled, so that reuse can't go around the guard.
	strict, loose *pool
	proxies       *proxies
	methods       methodMemory
}

// New makes a Client.
func New(c Config) *Client {
	if c.UserAgent == "" {
		c.UserAgent = "consul-ocsp"
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	return &Client{
		userAgent: c.UserAgent,
		now:       c.Now,
		strict:    newPool(c, false, nil),
		loose:     newPool(c, true, nil),
		proxies:   newProxies(c),
		methods:   methodMemory{now: c.Now},
	}
}

// Close closes idle connections. Exchanges under way go on.
func (c *Client) Close() {
	c.strict.close()
	c.loose.close()
	c.proxies.closeIdle()
}

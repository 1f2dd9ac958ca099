package responder

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"strings"
	"sync"

	"golang.org/x/net/http/httpproxy"
)

// maxProxies bounds the pools that are kept; job files name few proxies.
const maxProxies = 64

// proxies finds the proxy of a request and keeps a pool of connections for each
// one, apart from those that are dialled directly.
type proxies struct {
	c           Config
	environment func(*url.URL) (*url.URL, error)
	noProxy     string

	mu    sync.Mutex
	pools map[string]*pool // by the proxy's URL
}

func newProxies(c Config) *proxies {
	if c.Proxy == nil {
		c.Proxy = httpproxy.FromEnvironment()
	}
	return &proxies{c: c, environment: c.Proxy.ProxyFunc(), noProxy: c.Proxy.NoProxy, pools: make(map[string]*pool)}
}

// pool is that of one request; proxied says that a proxy is between, and will
// be sent the whole URL. Then all that can be checked of the host is checked
// here.
func (c *Client) pool(h hop, privateToo bool) (p *pool, proxied bool, err error) {
	proxy, err := c.proxies.find(h.proxy, h.url)
	switch {
	case err != nil:
		return nil, false, err
	case proxy != nil:
		if err := checkLiteral(h.url.Hostname(), privateToo); err != nil {
			return nil, false, err
		}
		return c.proxies.pool(proxy), h.url.Scheme == "http", nil
	case privateToo:
		return c.loose, false, nil
	}
	return c.strict, false, nil
}

// find is the proxy for u: the one that is set, else the environment's; nil:
// none. It is found as Go's own programs find theirs: NO_PROXY lists hosts,
// domains, addresses and networks, and loopback is never asked through a proxy.
func (p *proxies) find(set string, u *url.URL) (*url.URL, error) {
	find := p.environment
	if set != "" {
		if !strings.Contains(set, "://") {
			set = "http://" + set
		}
		if _, err := url.Parse(set); err != nil {
			return nil, errNoProxy
		}
		find = (&httpproxy.Config{HTTPProxy: set, HTTPSProxy: set, NoProxy: p.noProxy}).ProxyFunc()
	}
	proxy, err := find(u)
	if err != nil || proxy != nil && proxy.Hostname() == "" {
		return nil, errNoProxy
	}
	return proxy, nil
}

// pool keeps connections to one proxy, which may have a private address.
func (p *proxies) pool(proxy *url.URL) *pool {
	key := proxy.String()
	p.mu.Lock()
	defer p.mu.Unlock()
	if t, ok := p.pools[key]; ok {
		return t
	}
	if len(p.pools) >= maxProxies {
		for _, t := range p.pools {
			t.close()
		}
		clear(p.pools)
	}
	t := newPool(p.c, true, proxy)
	p.pools[key] = t
	return t
}

func (p *proxies) closeIdle() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, t := range p.pools {
		t.close()
	}
}

var (
	errProxy = errors.New("the proxy")
	// errNoProxy does not name it: there may be a password in it.
	errNoProxy = fmt.Errorf("%w: it is set to what is no URL", errProxy)
)

// isProxy reports whether an error is about the proxy, not about who is behind.
func isProxy(err error) bool {
	var op *net.OpError
	return errors.Is(err, errProxy) || errors.As(err, &op) && op.Op == "proxyconnect"
}

package responder

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"sync"
	"time"
)

// connectionLife is how long after a name was resolved its address is asked.
// Connections are kept between requests, since thousands of certificates may
// have one responder; without an end, one that is busy enough would be asked at
// an address that its name left long ago. No pause between two fetches of a
// certificate is shorter by default, so that each fetch resolves anew or uses
// what another one has resolved since the last.
const connectionLife = 30 * time.Second

// pool keeps connections that were dialled under one set of rules, none for
// longer than connectionLife.
type pool struct {
	make func() *http.Transport
	now  func() time.Time

	mu        sync.Mutex
	made      time.Time
	transport *http.Transport
}

// newPool dials hosts themselves, or one proxy, which may have a private
// address: behind a proxy the address would say nothing of the host.
func newPool(c Config, allowPrivate bool, proxy *url.URL) *pool {
	return &pool{now: c.Now, make: func() *http.Transport { return newTransport(c, allowPrivate, proxy) }}
}

// get is what makes a request now. Requests under way end as they are.
func (p *pool) get() *http.Transport {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := p.now()
	if p.transport == nil || now.Sub(p.made).Abs() >= connectionLife { // also when the clock was set back
		if p.transport != nil {
			p.transport.CloseIdleConnections() // and others when their requests end
		}
		p.transport, p.made = p.make(), now
	}
	return p.transport
}

func (p *pool) close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.transport != nil {
		p.transport.CloseIdleConnections()
	}
}

func newTransport(c Config, allowPrivate bool, proxy *url.URL) *http.Transport {
	dialer := &net.Dialer{
		Timeout:        DefaultTimeout,
		KeepAlive:      30 * time.Second,
		Resolver:       c.Resolver,
		ControlContext: guardDial(allowPrivate),
	}
	t := &http.Transport{
		DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			return dialer.DialContext(ctx, network, address)
		},
		TLSClientConfig:        &tls.Config{RootCAs: c.RootCAs, MinVersion: tls.VersionTLS12},
		TLSHandshakeTimeout:    DefaultTimeout,
		DisableCompression:     true, // a small body must not unpack to a large one
		MaxIdleConns:           128,
		MaxIdleConnsPerHost:    128,
		IdleConnTimeout:        connectionLife,
		MaxResponseHeaderBytes: 32 << 10,
	}
	if proxy == nil {
		return t
	}
	t.Proxy = http.ProxyURL(proxy)
	t.OnProxyConnectResponse = func(_ context.Context, _ *url.URL, _ *http.Request, resp *http.Response) error {
		if resp.StatusCode == http.StatusOK {
			return nil
		}
		return fmt.Errorf("%w: CONNECT was answered with %d %s", errProxy, resp.StatusCode, http.StatusText(resp.StatusCode))
	}
	return t
}

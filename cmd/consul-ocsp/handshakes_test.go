package main

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"sync"
	"testing"
	"time"

	"golang.org/x/crypto/ocsp"
)

// handshakes are made with every node all the while: each must show a staple
// that is valid and no older than the one before.
type handshakes struct {
	mu     sync.Mutex
	shown  map[string]time.Time // by node and name: thisUpdate of the last
	count  int
	faults map[string]int
}

// shake makes handshakes with the nodes of c for these names until the function
// that it returns is called, which fails the test for what was shown.
func shake(t *testing.T, c *cluster, names ...string) (h *handshakes, settle func()) {
	t.Helper()
	h = &handshakes{shown: map[string]time.Time{}, faults: map[string]int{}}
	ctx, cancel := context.WithCancel(context.Background())
	var shaking sync.WaitGroup
	for _, n := range c.nodes {
		shaking.Go(func() { // ends with settle
			tick := time.NewTicker(100 * time.Millisecond)
			defer tick.Stop()
			for {
				for _, name := range names {
					h.one(ctx, c, n, name)
				}
				select {
				case <-tick.C:
				case <-ctx.Done():
					return
				}
			}
		})
	}
	end := sync.OnceFunc(func() { cancel(); shaking.Wait() })
	t.Cleanup(end)
	return h, func() {
		t.Helper()
		end()
		for fault, times := range h.faults {
			t.Errorf("handshakes: %s (%d times)", fault, times)
		}
		t.Logf("handshakes: %d", h.count)
	}
}

func (h *handshakes) one(ctx context.Context, c *cluster, n *node, name string) {
	this, err := staplesOf(ctx, c, n, name)
	if ctx.Err() != nil {
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.count++
	key := n.name + " " + name
	switch {
	case err != nil:
		h.faults[fmt.Sprintf("%s: %v", key, err)]++
	case this.Before(h.shown[key]):
		h.faults[key+": an older staple"]++
	default:
		h.shown[key] = this
	}
}

// staplesOf is the thisUpdate of a valid good staple.
func staplesOf(ctx context.Context, c *cluster, n *node, name string) (time.Time, error) {
	dialer := tls.Dialer{
		NetDialer: &net.Dialer{Timeout: 10 * time.Second},
		// Go's client does not ask what a certificate is worth here, only what is stapled.
		Config: &tls.Config{ServerName: name, InsecureSkipVerify: true},
	}
	conn, err := dialer.DialContext(ctx, "tcp", n.haproxy.Address())
	if err != nil {
		return time.Time{}, err
	}
	defer conn.Close()
	state := conn.(*tls.Conn).ConnectionState()
	response, err := ocsp.ParseResponseForCert(state.OCSPResponse, state.PeerCertificates[0], c.authority.Certificate())
	switch now := time.Now(); {
	case err != nil:
		return time.Time{}, err
	case response.Status != ocsp.Good || now.After(response.NextUpdate) || now.Before(response.ThisUpdate):
		return time.Time{}, fmt.Errorf("status %d from %s to %s", response.Status, response.ThisUpdate, response.NextUpdate)
	}
	return response.ThisUpdate, nil
}

// renewed waits until every node shows staples that are not from before now.
func (h *handshakes) renewed(t *testing.T, after string) {
	t.Helper()
	// A response has full seconds.
	from := time.Now().Truncate(time.Second)
	eventually(t, "new staples on all nodes after "+after, func() error {
		h.mu.Lock()
		defer h.mu.Unlock()
		for key, this := range h.shown {
			if this.Before(from) {
				return fmt.Errorf("%s: %s, since %s", key, this, from)
			}
		}
		return nil
	})
	t.Logf("%s: renewed after %s", after, time.Since(from).Round(time.Second))
}

package consul

import (
	"context"
	"testing"
	"time"

	"github.com/consul-ocsp/consul-ocsp/consul/consultest"
	"github.com/consul-ocsp/consul-ocsp/plugin/record"
)

// TestLost is about what was in Consul and is not, or not as it was.
func TestLost(t *testing.T) {
	t.Parallel()
	s := consultest.Start(t)
	t.Run("announcements", func(t *testing.T) { testLostAnnouncements(t, s) })
	t.Run("announcements once more", func(t *testing.T) { testLostTwice(t, s) })
	t.Run("responses", func(t *testing.T) { testLostResponse(t, s) })
}

// A node announces again when it sees that publications are missing: so may be
// what it has announced, which is due hours later otherwise.
func testLostAnnouncements(t *testing.T, s *consultest.Server) {
	c := newClient(t, s)
	certs := certificates(t, 3, far())
	follow(t, c, testID(1))
	during(t, func(ctx context.Context) error {
		return c.Announce(ctx, func() map[string]record.Certificate { return certs }, AnnounceOptions{}, nil)
	})
	announced := func() bool {
		for id := range certs {
			pair, _, err := s.Client().KV().Get(c.keys.certificate(id), nil)
			if err != nil || pair == nil {
				return false
			}
		}
		return true
	}
	eventually(t, "the announcement", announced)
	leader := newClient(t, s, func(other *Config) { other.Path = c.keys.root })
	generation := func() {
		lead(t, leader, func(ctx context.Context, term *Term) {
			if err := term.Reconcile(ctx, newMirror()); err != nil {
				t.Fatal(err)
			}
			publish(t, ctx, term, response(testID(1), 1))
		})
	}
	generation()
	if _, err := s.Client().KV().DeleteTree(c.keys.root, nil); err != nil {
		t.Fatal(err)
	}
	generation()
	eventually(t, "another announcement", announced)
}

// A node that waits before it compares everything announces again when it does:
// what it has announced again at the beginning of its wait may be lost by then.
func testLostTwice(t *testing.T, s *consultest.Server) {
	c := newClient(t, s, func(c *Config) { c.ResyncSplay, c.Rand = 2*time.Second, func() float64 { return 1 } })
	certs := certificates(t, 1, far())
	n := follow(t, c, testID(1))
	during(t, func(ctx context.Context) error {
		return c.Announce(ctx, func() map[string]record.Certificate { return certs }, AnnounceOptions{}, nil)
	})
	announced := func() bool {
		for id := range certs {
			if value(t, s, c.keys.certificate(id)) == nil {
				return false
			}
		}
		return true
	}
	leader := newClient(t, s, func(other *Config) { other.Path = c.keys.root })
	publication := func(minute int) {
		lead(t, leader, func(ctx context.Context, term *Term) { publish(t, ctx, term, response(testID(1), minute)) })
	}
	publication(1)
	eventually(t, "the response", func() bool { return n.has(response(testID(1), 1)) })
	for range 2 {
		eventually(t, "an announcement", announced)
		erase(t, s, c.keys.root)
		publication(1)
	}
	eventually(t, "the last announcement", announced)
}

// A response that was put in place of another, and refused, is over when the
// other one is back: whoever refused it is told, though it holds that one.
func testLostResponse(t *testing.T, s *consultest.Server) {
	c := newClient(t, s)
	id := testID(1)
	n := follow(t, c, id)
	lead(t, newClient(t, s, func(other *Config) { other.Path = c.keys.root }), func(ctx context.Context, term *Term) {
		publish(t, ctx, term, response(id, 5))
	})
	eventually(t, "the response", func() bool { return n.has(response(id, 5)) })
	for i, minute := range []int{1, 5, 5} {
		putStaple(t, s, c, response(id, minute))
		head := headOf(t, s, c)
		put(t, s, c.keys.head(), record.Head{
			Generation: head.Generation + 1, Nonce: record.NewNonce(), Before: head.Nonce, IDs: []string{id},
		}.Encode())
		if i < 2 {
			eventually(t, "a delivery", func() bool { return n.count() == i+2 })
		}
	}
	// What is held and was not refused is not delivered again: this is.
	lead(t, newClient(t, s, func(other *Config) { other.Path = c.keys.root }), func(ctx context.Context, term *Term) {
		publish(t, ctx, term, response(id, 9))
	})
	eventually(t, "the next response", func() bool { return n.has(response(id, 9)) })
	if n.count() != 4 {
		t.Errorf("%d delivered; want the first, the older, the first again and the next", n.count())
	}
}

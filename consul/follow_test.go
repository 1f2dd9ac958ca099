package consul

import (
	"bytes"
	"context"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/consul/api"

	"github.com/consul-ocsp/consul-ocsp/consul/consultest"
	"github.com/consul-ocsp/consul-ocsp/plugin/record"
)

// node is a node that follows, and keeps what supersedes what it has.
type node struct {
	c         *Client
	mu        sync.Mutex
	ids       []string
	held      map[string]record.Staple
	delivered []record.Staple
	wake      chan struct{}
	stop      func() error
}

func follow(t *testing.T, c *Client, ids ...string) *node {
	t.Helper()
	n := &node{c: c, ids: ids, held: map[string]record.Staple{}, wake: make(chan struct{}, 1)}
	n.start(t, c)
	return n
}

func (n *node) start(t *testing.T, c *Client) {
	n.stop = during(t, func(ctx context.Context) error {
		return c.Follow(ctx, func() []string {
			n.mu.Lock()
			defer n.mu.Unlock()
			return append([]string(nil), n.ids...)
		}, func(id string) (record.Meta, bool) {
			n.mu.Lock()
			defer n.mu.Unlock()
			st, ok := n.held[id]
			return st.Meta, ok
		}, func(_ context.Context, list []record.Staple) {
			n.mu.Lock()
			defer n.mu.Unlock()
			for _, st := range list {
				n.delivered = append(n.delivered, st)
				if st.Meta.Supersedes(n.held[st.ID].Meta) {
					n.held[st.ID] = st
				}
			}
		}, n.wake)
	})
}

func (n *node) has(st record.Staple) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return bytes.Equal(n.held[st.ID].DER, st.DER)
}

func (n *node) count() int {
	n.mu.Lock()
	defer n.mu.Unlock()
	return len(n.delivered)
}

func testFollow(t *testing.T, s *consultest.Server) {
	c := newClient(t, s)
	mine, others := testID(1), testID(2)
	n := follow(t, newClient(t, s), mine) // there is no head yet
	lead(t, c, func(ctx context.Context, term *Term) {
		for minute := 1; minute <= 3; minute++ {
			publish(t, ctx, term, response(mine, minute), response(others, minute))
			eventually(t, "the response of its own", func() bool { return n.has(response(mine, minute)) })
		}
		publish(t, ctx, term, response(others, 9))
		// What is held to the byte is not delivered again.
		h := headOf(t, s, c)
		foreign := record.Head{Generation: h.Generation + 1, Nonce: "foreign", Before: h.Nonce, IDs: []string{mine, mine}}
		put(t, s, c.keys.head(), foreign.Encode())
		publish(t, ctx, term, response(mine, 4))
		eventually(t, "the last response", func() bool { return n.has(response(mine, 4)) })
	})
	if got := n.count(); got != 4 {
		t.Errorf("%d responses were delivered, not 4", got)
	}
	if err := n.stop(); err != nil {
		t.Errorf("Follow: %v", err)
	}

	// A node that starts trusts what it holds over KV.
	again := &node{ids: []string{mine, others}, wake: make(chan struct{}), held: map[string]record.Staple{mine: response(mine, 5)}}
	again.start(t, newClient(t, s))
	eventually(t, "the other id's response", func() bool { return again.has(response(others, 9)) })
	if got := again.count(); got != 1 {
		t.Errorf("%d responses were delivered, not 1", got)
	}
}

// A node that missed some generations reads them in the ring; nothing else
// tells it which ids changed.
func testFollowRing(t *testing.T, s *consultest.Server) {
	c := newClient(t, s)
	b := newBetween(t, s)
	ids := []string{testID(1), testID(2), testID(3)}
	lead(t, c, func(ctx context.Context, term *Term) {
		publish(t, ctx, term, response(ids[0], 1), response(ids[1], 1), response(ids[2], 1))
		f := follower{
			c: newClient(t, s, func(c *Config) { c.Address = b.Listener.Addr().String() }), synced: true,
			at: headOf(t, s, c), known: map[string]bool{ids[0]: true, ids[1]: true},
			ids: func() []string { return ids[:2] },
			held: func(id string) (record.Meta, bool) {
				return response(id, 1).Meta, true
			},
		}
		var got []string
		f.deliver = func(_ context.Context, list []record.Staple) {
			for _, st := range list {
				got = append(got, st.ID)
			}
		}
		for i := range 5 {
			publish(t, ctx, term, response(ids[2*(i%2)], 2+i))
		}
		f.newest = mustGet(t, s, c.keys.head())
		if err := f.step(ctx); err != nil {
			t.Fatal(err)
		}
		// One read of the ring, one of the responses.
		if len(got) != 1 || got[0] != ids[0] || b.seen.Load() != 2 {
			t.Errorf("%v delivered, %d transactions", got, b.seen.Load())
		}
		if f.at.Nonce != headOf(t, s, c).Nonce {
			t.Errorf("it is at %+v", f.at)
		}
	})
}

// A node that was there before the first publication of all has missed
// nothing: it does not wait before it looks.
func testFollowFirst(t *testing.T, s *consultest.Server) {
	c := newClient(t, s, func(c *Config) { c.ResyncSplay = time.Hour })
	id := testID(1)
	var got []record.Staple
	f := follower{
		c: c, due: time.NewTimer(time.Hour), ids: func() []string { return []string{id} },
		deliver: func(_ context.Context, list []record.Staple) { got = append(got, list...) },
		held: func(string) (record.Meta, bool) {
			if len(got) == 0 {
				return record.Meta{}, false
			}
			return got[0].Meta, true
		},
	}
	defer f.due.Stop()
	if err := f.step(t.Context()); err != nil {
		t.Fatal(err)
	}
	lead(t, c, func(ctx context.Context, term *Term) {
		if err := term.Reconcile(ctx, newMirror()); err != nil {
			t.Fatal(err)
		}
		publish(t, ctx, term, response(id, 1))
	})
	f.newest = mustGet(t, s, c.keys.head())
	if err := f.step(t.Context()); err != nil || len(got) != 1 || f.waiting {
		t.Errorf("%d delivered, waiting: %t, %v", len(got), f.waiting, err)
	}
}

func mustGet(t *testing.T, s *consultest.Server, key string) *api.KVPair {
	t.Helper()
	pair, _, err := s.Client().KV().Get(key, nil)
	if err != nil {
		t.Fatal(err)
	}
	return pair
}

// Another history, as after a restored snapshot or too long an absence: all
// is compared, after a wait of the node's own; what is held is not undone.
func testFollowResync(t *testing.T, s *consultest.Server) {
	splay := func(c *Config) {
		c.ResyncSplay, c.Rand = 200*time.Millisecond, func() float64 { return 0.5 }
	}
	c := newClient(t, s)
	old, newer := testID(1), testID(2)
	n := follow(t, newClient(t, s, splay), old, newer)
	lead(t, c, func(ctx context.Context, term *Term) {
		publish(t, ctx, term, response(old, 5), response(newer, 5))
		eventually(t, "the first responses", func() bool { return n.has(response(old, 5)) && n.has(response(newer, 5)) })
	})
	putStaple(t, s, c, response(old, 1))
	putStaple(t, s, c, response(newer, 7))
	put(t, s, c.keys.head(), record.Head{Generation: 1, Nonce: "other", Before: "history"}.Encode())
	eventually(t, "the newer response", func() bool { return n.has(response(newer, 7)) })
	if !n.has(response(old, 5)) || n.count() != 3 {
		t.Errorf("%d delivered", n.count())
	}
	// And it goes on from there.
	putStaple(t, s, c, response(old, 8))
	put(t, s, c.keys.head(), record.Head{Generation: 2, Nonce: "next", Before: "other", IDs: []string{old}}.Encode())
	eventually(t, "the next response", func() bool { return n.has(response(old, 8)) })
}

// Whatever stands in KV, a follower goes on, delivers only what is well
// formed, and undoes nothing.
func testFollowHostile(t *testing.T, s *consultest.Server) {
	c := newClient(t, s)
	id := testID(1)
	n := follow(t, newClient(t, s), id)
	lead(t, c, func(ctx context.Context, term *Term) {
		publish(t, ctx, term, response(id, 1))
		eventually(t, "the first response", func() bool { return n.has(response(id, 1)) })
		minute := 1
		good := func(what string) {
			t.Helper()
			minute++
			publish(t, ctx, term, response(id, minute))
			eventually(t, "a response after "+what, func() bool { return n.has(response(id, minute)) })
		}
		for what, head := range map[string]string{
			"garbage":            "\x00\x01 garbage\n",
			"empty":              "",
			"huge":               "5 a b\n" + strings.Repeat(id+"\n", 7500),
			"overflow":           "9223372036854775807 a b\n",
			"far ahead":          "9007199254740992 far ahead\n",
			"ids of nobody":      "5 aa bb\n" + testID(9) + "\n",
			"a path for an id":   "5 aa bb\n../../../leader\n",
			"its own nonce only": "7 " + headOf(t, s, c).Nonce + " " + headOf(t, s, c).Nonce + "\n",
		} {
			put(t, s, c.keys.head(), []byte(head))
			good(what)
		}
		if _, err := s.Client().KV().Delete(c.keys.head(), nil); err != nil {
			t.Fatal(err)
		}
		good("head was deleted")
	})
	if _, err := s.Client().KV().DeleteTree(c.keys.root, nil); err != nil {
		t.Fatal(err)
	}
	held := n.count()
	lead(t, c, func(ctx context.Context, term *Term) {
		publish(t, ctx, term, response(id, 500))
		eventually(t, "a response after all was deleted", func() bool { return n.has(response(id, 500)) })
	})
	if n.count() != held+1 {
		t.Errorf("%d delivered since all was deleted", n.count()-held)
	}

	// Records that do not fit each other are not delivered; an older one is,
	// for its reader to refuse.
	before := n.count()
	announce := func() {
		put(t, s, c.keys.head(), record.Head{
			Generation: headOf(t, s, c).Generation + 1, Nonce: record.NewNonce(), Before: headOf(t, s, c).Nonce, IDs: []string{id},
		}.Encode())
	}
	put(t, s, c.keys.der(id), []byte("random bytes"))
	announce()
	put(t, s, c.keys.meta(id), bytes.Repeat([]byte("["), 100000))
	announce()
	putStaple(t, s, c, response(id, 2))
	announce()
	eventually(t, "the older response", func() bool { return n.count() > before })
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, st := range n.delivered[before:] {
		if !bytes.Equal(st.DER, response(id, 2).DER) {
			t.Errorf("%q was delivered", st.DER)
		}
	}
	if !bytes.Equal(n.held[id].DER, response(id, 500).DER) {
		t.Errorf("%q is held", n.held[id].DER)
	}
}

func testFollowWake(t *testing.T, s *consultest.Server) {
	c := newClient(t, s)
	one, two := testID(1), testID(2)
	lead(t, c, func(ctx context.Context, term *Term) {
		publish(t, ctx, term, response(one, 1), response(two, 1))
		n := follow(t, newClient(t, s), one)
		eventually(t, "the first id", func() bool { return n.has(response(one, 1)) })
		n.mu.Lock()
		n.ids = []string{two}
		n.mu.Unlock()
		n.wake <- struct{}{}
		eventually(t, "the id that came later", func() bool { return n.has(response(two, 1)) })
		publish(t, ctx, term, response(one, 2), response(two, 2))
		eventually(t, "its next response", func() bool { return n.has(response(two, 2)) })
		if n.has(response(one, 2)) {
			t.Error("the id that the node has no more is still followed")
		}
	})
}

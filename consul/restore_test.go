package consul

import (
	"bytes"
	"context"
	"fmt"
	"testing"

	"github.com/consul-ocsp/consul-ocsp/consul/consultest"
	"github.com/consul-ocsp/consul-ocsp/plugin/record"
)

// living is a Consul with a living leader and a living node, neither of which is
// told what is done to Consul.
type living struct {
	t      *testing.T
	server *consultest.Server
	c      *Client
	m      *mirror
	node   *node
	terms  chan *Term
	minute int
}

func newLiving(t *testing.T, s *consultest.Server, path string) *living {
	t.Helper()
	// Nothing is seen because a query is over by its time.
	here := func(c *Config) { c.Path, c.Wait = path, defaultWait }
	l := &living{t: t, server: s, c: newClient(t, s, here), m: newMirror(response(testID(1), 1)), terms: make(chan *Term, 10), minute: 1}
	l.node = follow(t, newClient(t, s, here), testID(1), testID(2))
	return l
}

// lead has an agent stand for election; each of its terms is told.
func (l *living) lead() {
	during(l.t, func(ctx context.Context) error {
		return l.c.Campaign(ctx, record.Leader{Node: "leader"}, func(ctx context.Context, term *Term) error {
			if err := term.Reconcile(ctx, l.m); err != nil {
				return err
			}
			l.terms <- term
			return term.Guard(ctx, l.m)
		})
	})
}

// publish has the leader fetch a newer response.
func (l *living) publish(term *Term) {
	l.t.Helper()
	l.minute++
	st := response(testID(1), l.minute)
	l.m.mu.Lock()
	l.m.staples[st.ID] = st
	l.m.mu.Unlock()
	if term != nil {
		// Where the term ends meanwhile the next one publishes it.
		_ = term.Publish(l.t.Context(), []record.Staple{st})
	}
}

// converges waits until Consul and the node have the newest response, by
// nothing that the test does.
func (l *living) converges(what string) {
	l.t.Helper()
	want := response(testID(1), l.minute)
	eventually(l.t, what+": the newest response in consul", func() bool {
		found, err := l.c.Staples(l.t.Context(), []string{want.ID})
		return err == nil && bytes.Equal(found[want.ID].DER, want.DER)
	})
	eventually(l.t, what+": the newest response on the node", func() bool { return l.node.has(want) })
	// Whatever came on the way: never an older one, and nothing is gone.
	l.node.mu.Lock()
	defer l.node.mu.Unlock()
	if held := l.node.held[want.ID]; !held.Meta.ThisUpdate.Equal(want.Meta.ThisUpdate) {
		l.t.Errorf("%s: the node holds that of %s", what, held.Meta.ThisUpdate)
	}
}

// TestRestore: snapshots are restored, all keys deleted, and the whole of Consul replaced, under a
// living leader and a living node. Each time all goes on by itself with the
// newest response, which only the leader and the node still had.
func TestRestore(t *testing.T) {
	t.Parallel()
	const path = "restored/"
	s, other := consultest.Start(t), consultest.Start(t)
	// Another cluster's tree: another leader's lock, a higher generation, older
	// responses, one of which this cluster does not know.
	strange := newClient(t, other, func(c *Config) { c.Path = path })
	stranger := campaign(t, strange, "stranger")
	term := receive(t, "the stranger", stranger.leads)
	for minute := range 20 {
		publish(t, t.Context(), term, response(testID(1), minute-100), response(testID(2), minute-100))
	}
	foreign := other.Save()

	l := newLiving(t, s, path)
	empty := s.Save()
	l.lead()
	first := receive(t, "the first term", l.terms)
	l.publish(first)
	l.converges("at first")
	older := s.Save()
	for range 3 {
		l.publish(first)
	}
	l.converges("before any harm")
	lead := func(what string) *Term { return receive(t, "a term after "+what, l.terms) }

	// The lock is still the leader's: only head tells.
	l.server.Restore(older)
	l.converges("an older snapshot")
	l.server.Restore(empty)
	lead("a snapshot from before the leader's session")
	l.publish(nil) // not published: the next term's to do
	l.server.Restore(older)
	lead("a snapshot with a former session")
	l.converges("a snapshot with a former session")
	l.server.Restore(foreign)
	if err := s.Register(); err != nil {
		t.Fatal(err)
	}
	l.publish(lead("a foreign snapshot"))
	l.converges("a foreign snapshot")
	eventually(t, "what the foreign one brought", func() bool { return l.node.has(response(testID(2), 19-100)) })

	erase(t, s, path)
	l.publish(lead("a deleted tree"))
	l.converges("a deleted tree")

	before := mustGet(t, s, l.c.keys.head()).ModifyIndex
	s.Wipe()
	s.Restart()
	last := lead("another Consul")
	l.publish(last)
	l.converges("another Consul")
	if now := mustGet(t, s, l.c.keys.head()).ModifyIndex; now >= before {
		t.Errorf("the index is %d, and was %d", now, before)
	}
}

// A node that was away while the ring went round, or that finds a hole in it,
// compares all it has: what is newer is delivered once, what is older is not.
func testFollowGaps(t *testing.T, s *consultest.Server) {
	for name, test := range map[string]struct {
		publications int
		damage       func(c *Client, at record.Head)
		whole        bool // the ring still tells all
	}{
		"the whole ring":   {record.Slots, func(*Client, record.Head) {}, true},
		"ring overrun":     {record.Slots + 6, func(*Client, record.Head) {}, false},
		"a deleted slot":   {5, func(c *Client, at record.Head) { erase(t, s, c.keys.slot(at.Generation+2)) }, false},
		"a garbage slot":   {5, func(c *Client, at record.Head) { put(t, s, c.keys.slot(at.Generation+2), []byte("garbage")) }, false},
		"a deleted log":    {5, func(c *Client, _ record.Head) { erase(t, s, c.keys.root+"v1/log/") }, false},
		"a broken chain":   {5, func(c *Client, at record.Head) { forge(t, s, c, at.Generation+3) }, false},
		"another's number": {5, func(c *Client, at record.Head) { put(t, s, c.keys.slot(at.Generation+2), at.Encode()) }, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newClient(t, s)
			changed, late, ahead := testID(1), testID(2), testID(3)
			lead(t, c, func(ctx context.Context, term *Term) {
				publish(t, ctx, term, response(changed, 1), response(late, 1), response(ahead, 1))
				at := headOf(t, s, c)
				n := &node{ids: []string{changed, late, ahead}, held: map[string]record.Staple{
					changed: response(changed, 1), late: response(late, 1), ahead: response(ahead, 900),
				}}
				publish(t, ctx, term, response(late, 2))
				for i := range test.publications - 1 {
					publish(t, ctx, term, response(changed, 2+i))
				}
				test.damage(c, at)
				f := n.follower(c, at)
				f.newest = mustGet(t, s, c.keys.head())
				if _, joined, err := f.missed(ctx, headOf(t, s, c)); joined != test.whole || err != nil {
					t.Errorf("the ring tells all: %t, %v", joined, err)
				}
				if err := f.step(ctx); err != nil {
					t.Fatal(err)
				}
				if got := fmt.Sprint(n.count(), n.has(response(changed, test.publications)), n.has(response(late, 2)), n.has(response(ahead, 900))); got != "2 true true true" {
					t.Errorf("delivered, and which are held: %s", got)
				}
				if f.at.Nonce != headOf(t, s, c).Nonce {
					t.Errorf("it is at %+v", f.at)
				}
			})
		})
	}
}

// follower is n at a head, without the loop around it.
func (n *node) follower(c *Client, at record.Head) *follower {
	known := map[string]bool{}
	for _, id := range n.ids {
		known[id] = true
	}
	return &follower{
		c: c, synced: true, at: at, known: known,
		ids:  func() []string { return n.ids },
		held: func(id string) (record.Meta, bool) { st, ok := n.held[id]; return st.Meta, ok },
		deliver: func(_ context.Context, list []record.Staple) {
			for _, st := range list {
				n.delivered = append(n.delivered, st)
				n.held[st.ID] = st
			}
		},
	}
}

func erase(t *testing.T, s *consultest.Server, prefix string) {
	t.Helper()
	if _, err := s.Client().KV().DeleteTree(prefix, nil); err != nil {
		t.Fatal(err)
	}
}

// forge puts a slot of another history in place of one.
func forge(t *testing.T, s *consultest.Server, c *Client, generation uint64) {
	t.Helper()
	h := record.Head{Generation: generation, Nonce: "other", Before: "history"}
	put(t, s, c.keys.slot(generation), h.Encode())
}

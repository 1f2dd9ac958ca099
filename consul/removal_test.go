package consul

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/consul-ocsp/consul-ocsp/consul/consultest"
	"github.com/consul-ocsp/consul-ocsp/plugin/record"
)

// What nobody announces or configures goes once it has ended TTL ago, with its
// names; a node that writes nothing any more goes too. Nothing goes because a
// list is empty.
func testRemoveEnded(t *testing.T, s *consultest.Server) {
	at := newClock(start)
	c := newClient(t, s, at.set)
	gone, configured, alive, wanted := testID(1), testID(2), testID(3), ""
	certs := certificates(t, 1, far())
	for id := range certs {
		wanted = id
	}
	if err := c.AnnounceOnce(t.Context(), certs, AnnounceOptions{}); err != nil {
		t.Fatal(err)
	}
	var list []record.Staple
	for _, id := range []string{gone, configured, alive, wanted} {
		st := response(id, 1)
		st.Meta.Until = start.Add(time.Hour)
		if id == alive {
			st.Meta.Until = far()
		}
		list = append(list, st)
	}
	lead(t, c, func(ctx context.Context, term *Term) {
		publish(t, ctx, term, list...)
		if err := term.Names(ctx, map[string]string{"edge/old": gone, "edge/kept": alive}); err != nil {
			t.Fatal(err)
		}
	})
	for _, name := range []string{"dead", "lively"} {
		if err := c.ClaimNode(t.Context(), name, name); err != nil {
			t.Fatal(err)
		}
	}
	during(t, func(ctx context.Context) error {
		return c.TryLead(ctx, record.Leader{}, func(ctx context.Context, term *Term) error {
			o := AnnouncedOptions{Configured: func(id string) bool { return id == configured }}
			return term.Announced(ctx, o, listening(func(map[string]record.Certificate, Announcements) {}))
		})
	})
	// swept has the leader look through KV once more.
	swept := func() {
		put(t, s, c.keys.node("lively"), fmt.Appendf(nil, `{"node":"lively","version":%q,"seen":%q}`, record.NewNonce(), start.Format(time.RFC3339))) // its clock stands still
		at.advance(2 * time.Hour)
		put(t, s, c.keys.wanted("zz"), []byte(record.NewNonce()))
	}
	eventually(t, "the leader", func() bool { return value(t, s, c.keys.leader()) != nil })
	at.advance(30 * time.Hour)
	for range 2 {
		swept()
	}
	if value(t, s, c.keys.der(gone)) == nil || value(t, s, c.keys.node("dead")) == nil {
		t.Error("removed too early")
	}
	eventually(t, "its removal, and the node's", func() bool {
		swept()
		if err := c.AnnounceOnce(t.Context(), certs, AnnounceOptions{}); err != nil {
			t.Fatal(err)
		}
		return value(t, s, c.keys.der(gone)) == nil && value(t, s, c.keys.node("dead")) == nil
	})
	for _, key := range []string{c.keys.meta(gone), c.keys.name("edge", "old")} {
		if value(t, s, key) != nil {
			t.Errorf("%s is still there", key)
		}
	}
	for _, key := range []string{c.keys.der(configured), c.keys.der(alive), c.keys.der(wanted), c.keys.node("lively"), c.keys.name("edge", "kept")} {
		if value(t, s, key) == nil {
			t.Errorf("%s is gone", key)
		}
	}
}

// Announcements without end, of what is no certificate, and over the maximum:
// refused and counted; a good one beside them is followed.
func testAnnouncedHostile(t *testing.T, s *consultest.Server) {
	const lines, max = 100_000, 500
	at := newClock(start)
	c := newClient(t, s, at.set)
	good := certificates(t, 1, far())
	other := certificates(t, 2, far())
	if err := c.AnnounceOnce(t.Context(), good, AnnounceOptions{}); err != nil {
		t.Fatal(err)
	}
	type round struct {
		all map[string]record.Certificate
		Announcements
	}
	told := make(chan round, 1000)
	during(t, func(ctx context.Context) error {
		return c.TryLead(ctx, record.Leader{}, func(ctx context.Context, term *Term) error {
			return term.Announced(ctx, AnnouncedOptions{Max: max}, listening(func(all map[string]record.Certificate, a Announcements) {
				told <- round{all, a}
			}))
		})
	})
	until := func(what string, f func(round) bool) {
		t.Helper()
		deadline := time.After(patience)
		for {
			select {
			case a := <-told:
				if f(a) {
					return
				}
			case <-deadline:
				t.Fatalf("%s: not within %s", what, patience)
			}
		}
	}
	until("the good one", func(a round) bool { return len(a.all) == 1 && len(a.Refused) == 0 })

	// 300 KB of PEM, and somebody else's certificate under an id.
	big, foreign := testID(1), testID(2)
	put(t, s, c.keys.certificate(big), []byte(strings.Repeat("-----BEGIN CERTIFICATE-----\n", 300<<10/28)))
	for _, cert := range other {
		text, err := cert.Encode()
		if err != nil {
			t.Fatal(err)
		}
		put(t, s, c.keys.certificate(foreign), text)
	}
	for _, id := range []string{big, foreign} {
		put(t, s, c.keys.wanted(record.Bucket(id)), []byte(id+" 2026112109\n"))
	}
	until("both refused", func(a round) bool {
		return len(a.all) == 1 && strings.Contains(a.Refused[big], "bytes") && strings.Contains(a.Refused[foreign], "its leaf has the id")
	})

	// Lines of nothing, which withdraw those of others besides.
	buckets := map[string]*strings.Builder{}
	for i := range lines {
		id := testID(1000 + i)
		if buckets[record.Bucket(id)] == nil {
			buckets[record.Bucket(id)] = &strings.Builder{}
		}
		fmt.Fprintf(buckets[record.Bucket(id)], "%s 2026112109\n", id)
	}
	var ops []op
	for bucket, text := range buckets {
		ops = append(ops, set(c.keys.wanted(bucket), []byte(text.String())))
	}
	for _, part := range c.pack(ops) {
		if _, errs, err := c.txn(t.Context(), part); err != nil || len(errs) > 0 {
			t.Fatal(err, errs)
		}
	}
	until("what is too much", func(a round) bool {
		return a.Ignored > lines/2 && len(a.Refused) >= max/2 && len(a.all) == 1
	})
	// A node that is asked again says what was withdrawn.
	if err := c.AnnounceOnce(t.Context(), good, AnnounceOptions{}); err != nil {
		t.Fatal(err)
	}
	for id := range good {
		w, _, err := record.ParseWanted(record.Bucket(id), value(t, s, c.keys.wanted(record.Bucket(id))))
		if err != nil || w[id].IsZero() {
			t.Errorf("the withdrawn line was not repaired: %v", err)
		}
	}
}

package consul

import (
	"bytes"
	"context"
	"errors"
	"testing"

	"github.com/consul-ocsp/consul-ocsp/consul/consultest"
	"github.com/consul-ocsp/consul-ocsp/plugin/record"
)

func testReconcile(t *testing.T, s *consultest.Server) {
	c := newClient(t, s)
	older, newer, missing, gone, same := testID(1), testID(2), testID(3), testID(4), testID(5)
	ended := response(testID(6), 0)
	ended.Meta.Until = start.AddDate(-10, 0, 0)
	lead(t, c, func(ctx context.Context, term *Term) {
		publish(t, ctx, term, response(older, 1), response(newer, 5), response(gone, 1), response(same, 1))
		if _, err := s.Client().KV().Delete(c.keys.der(gone), nil); err != nil {
			t.Fatal(err)
		}
	})
	m := newMirror(response(older, 2), response(newer, 4), response(missing, 1), response(gone, 1), response(same, 1), ended)
	lead(t, c, func(ctx context.Context, term *Term) {
		before := headOf(t, s, c)
		if err := term.Reconcile(ctx, m); err != nil {
			t.Fatal(err)
		}
		h := headOf(t, s, c)
		if h.Generation != before.Generation+1 || h.Before != before.Nonce || len(h.IDs) != 3 {
			t.Errorf("head = %+v after %+v", h, before)
		}
		found, err := c.Staples(ctx, []string{older, newer, missing, gone, same, ended.ID})
		if err != nil || len(found) != 5 {
			t.Fatalf("Staples = %v, %v", found, err)
		}
		for id, want := range map[string]record.Staple{
			older: response(older, 2), newer: response(newer, 5), missing: response(missing, 1), gone: response(gone, 1), same: response(same, 1),
		} {
			if !bytes.Equal(found[id].DER, want.DER) {
				t.Errorf("%s: %q is published", id, found[id].DER)
			}
			if held, _, _ := m.Staple(id); !bytes.Equal(held.DER, want.DER) {
				t.Errorf("%s: %q is held", id, held.DER)
			}
		}
		if err := term.Reconcile(ctx, m); err != nil {
			t.Fatal(err)
		}
		if empty := headOf(t, s, c); empty.Before != h.Nonce || len(empty.IDs) != 0 {
			t.Errorf("where all agrees head = %+v after %+v", empty, h)
		}
	})
}

// What is refused is replaced by what the leader holds, whatever times its
// meta says.
func testReconcileForgery(t *testing.T, s *consultest.Server) {
	c := newClient(t, s)
	future, equal, broken, unknown := testID(1), testID(2), testID(3), testID(4)
	m := newMirror(response(future, 1), response(equal, 1), response(broken, 1))
	lead(t, c, func(ctx context.Context, term *Term) {
		if err := term.Reconcile(ctx, m); err != nil {
			t.Fatal(err)
		}
		forged := []record.Staple{response(future, 500), response(equal, 1, "forged"), response(unknown, 1)}
		for _, st := range forged {
			m.refuse[st.Meta.SHA256] = true
			putStaple(t, s, c, st)
		}
		// The meta fits, the bytes do not.
		put(t, s, c.keys.der(broken), []byte("random"))
		foreign := record.Head{Generation: 900, Nonce: "foreign", Before: term.lastNonce(), IDs: []string{future, equal, broken}}
		put(t, s, c.keys.head(), foreign.Encode())
		if err := term.Reconcile(ctx, m); err != nil {
			t.Fatal(err)
		}
		found, err := c.Staples(ctx, []string{future, equal, broken, unknown})
		if err != nil {
			t.Fatal(err)
		}
		for _, id := range []string{future, equal, broken} {
			if want := response(id, 1); !bytes.Equal(found[id].DER, want.DER) {
				t.Errorf("%s: %q is published", id, found[id].DER)
			}
		}
		if h := headOf(t, s, c); h.Generation != 901 || h.Before != "foreign" || len(h.IDs) != 3 {
			t.Errorf("head = %+v", h)
		}
		// What this leader can't judge by a response of its own stays.
		if _, ok := found[unknown]; !ok {
			t.Error("a refused response of a certificate that the leader does not know was deleted")
		}
	})
}

func putStaple(t *testing.T, s *consultest.Server, c *Client, st record.Staple) {
	t.Helper()
	meta, err := st.Meta.Encode()
	if err != nil {
		t.Fatal(err)
	}
	put(t, s, c.keys.der(st.ID), st.DER)
	put(t, s, c.keys.meta(st.ID), meta)
}

// Whatever is done to KV behind the leader's back is made good.
func testGuard(t *testing.T, s *consultest.Server) {
	c := newClient(t, s)
	id, other := testID(1), testID(2)
	m := newMirror(response(id, 5), response(other, 5))
	terms := make(chan *Term)
	stop := during(t, func(ctx context.Context) error {
		return c.TryLead(ctx, record.Leader{Node: "one"}, func(ctx context.Context, term *Term) error {
			if err := term.Reconcile(ctx, m); err != nil {
				return err
			}
			terms <- term
			return term.Guard(ctx, m)
		})
	})
	term := receive(t, "the term", terms)
	restored := func(what string) {
		t.Helper()
		eventually(t, what, func() bool {
			found, err := c.Staples(t.Context(), []string{id, other})
			return err == nil && len(found) == 2 && found[id].Meta.ThisUpdate.Equal(response(id, 5).Meta.ThisUpdate) &&
				nonce(mustGet(t, s, c.keys.head())) == term.lastNonce()
		})
	}
	if _, err := s.Client().KV().DeleteTree(c.keys.root+"v1/der/", nil); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Client().KV().Delete(c.keys.head(), nil); err != nil {
		t.Fatal(err)
	}
	restored("head and the responses deleted")

	// What is beside the responses comes back too, or goes again.
	if err := term.Names(t.Context(), map[string]string{"edge/www": id}); err != nil {
		t.Fatal(err)
	}
	if err := term.Trouble(t.Context(), id, nil); err != nil {
		t.Fatal(err)
	}
	former, err := (&record.Trouble{Reason: "timeout"}).Encode()
	if err != nil {
		t.Fatal(err)
	}
	erase(t, s, c.keys.names())
	erase(t, s, c.keys.format())
	put(t, s, c.keys.trouble(id), former)
	erase(t, s, c.keys.head())
	restored("head, names and format deleted")
	eventually(t, "the name", func() bool { return string(value(t, s, c.keys.name("edge", "www"))) == id })
	if got := string(value(t, s, c.keys.format())); got != "1" {
		t.Errorf("v1/format = %q", got)
	}
	if err := term.Trouble(t.Context(), id, nil); err != nil || value(t, s, c.keys.trouble(id)) != nil {
		t.Errorf("a trouble from another history stays: %v", err)
	}

	// What a restored snapshot looks like: an older head and older responses.
	putStaple(t, s, c, response(id, 1))
	put(t, s, c.keys.head(), record.Head{Generation: 1, Nonce: "of-old", Before: "-"}.Encode())
	restored("older state")

	put(t, s, c.keys.head(), []byte("garbage"))
	restored("garbage for head")

	// The leader's own publications are nothing to wonder about.
	before := headOf(t, s, c)
	for minute := range 20 {
		publish(t, t.Context(), term, response(other, 6+minute))
	}
	if h := headOf(t, s, c); h.Generation != before.Generation+20 {
		t.Errorf("head = %+v after %+v", h, before)
	}

	// Somebody claims what a publication is to replace.
	forged := response(other, 900)
	m.mu.Lock()
	m.refuse[forged.Meta.SHA256] = true
	m.staples[other] = response(other, 70)
	m.mu.Unlock()
	putStaple(t, s, c, forged)
	publish(t, t.Context(), term, response(other, 70))
	eventually(t, "a claim found to be false", func() bool {
		found, err := c.Staples(t.Context(), []string{other})
		return err == nil && found[other].Meta.SHA256 == response(other, 70).Meta.SHA256
	})

	// A snapshot brings the records of newer agents: the term ends, and nothing is
	// written among them.
	put(t, s, c.keys.format(), []byte("2"))
	newest := record.Head{Generation: 900, Nonce: "newer", Before: "-"}.Encode()
	put(t, s, c.keys.head(), newest)
	eventually(t, "the end of the term", func() bool { return mustGet(t, s, c.keys.leader()).Session == "" })
	if err := stop(); !errors.As(err, new(*FormatError)) {
		t.Errorf("Guard: %v", err)
	}
	if got := value(t, s, c.keys.head()); !bytes.Equal(got, newest) {
		t.Errorf("head = %q", got)
	}
}

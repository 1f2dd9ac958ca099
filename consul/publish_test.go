package consul

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/consul-ocsp/consul-ocsp/consul/consultest"
	"github.com/consul-ocsp/consul-ocsp/plugin/record"
)

func publish(t *testing.T, ctx context.Context, term *Term, list ...record.Staple) {
	t.Helper()
	if err := term.Publish(ctx, list); err != nil {
		t.Fatalf("Publish: %v", err)
	}
}

func testPublish(t *testing.T, s *consultest.Server) {
	c := newClient(t, s)
	a, b := response(testID(1), 1), response(testID(2), 1)
	lead(t, c, func(ctx context.Context, term *Term) {
		publish(t, ctx, term, a, b)
		first := headOf(t, s, c)
		if first.Generation != 1 || fmt.Sprint(first.IDs) != fmt.Sprint([]string{a.ID, b.ID}) || first.Before != record.NoNonce {
			t.Errorf("head = %+v", first)
		}
		if got := value(t, s, c.keys.der(a.ID)); !bytes.Equal(got, a.DER) {
			t.Errorf("v1/der is %q", got)
		}
		newer := response(a.ID, 2)
		publish(t, ctx, term, newer, b)
		second := headOf(t, s, c)
		if second.Generation != 2 || second.Before != first.Nonce || len(second.IDs) != 1 || second.IDs[0] != a.ID {
			t.Errorf("head = %+v after %+v", second, first)
		}
		for _, h := range []record.Head{first, second} {
			if got := value(t, s, c.keys.slot(h.Generation)); !bytes.Equal(got, h.Encode()) {
				t.Errorf("slot of generation %d is %q", h.Generation, got)
			}
		}
		found, err := c.Staples(ctx, []string{a.ID, b.ID, testID(3)})
		if err != nil || len(found) != 2 || !bytes.Equal(found[a.ID].DER, newer.DER) || !found[b.ID].Meta.ThisUpdate.Equal(b.Meta.ThisUpdate) {
			t.Errorf("Staples = %v, %v", found, err)
		}
	})
}

// What is not newer writes nothing at all.
func testPublishNothing(t *testing.T, s *consultest.Server) {
	c := newClient(t, s)
	id := testID(1)
	revoked := response(id, 5, "revoked")
	revoked.Meta.Status = "revoked"
	lead(t, c, func(ctx context.Context, term *Term) {
		publish(t, ctx, term, response(id, 5))
		publish(t, ctx, term, revoked)
		before := headOf(t, s, c)
		if before.Generation != 2 {
			t.Errorf("revoked does not replace good of the same time: %+v", before)
		}
		for _, st := range []record.Staple{response(id, 4), response(id, 5), revoked, response(id, 5, "again")} {
			publish(t, ctx, term, st)
		}
		publish(t, ctx, term)
		if after := headOf(t, s, c); after.Nonce != before.Nonce {
			t.Errorf("head moved to %+v", after)
		}
		broken := response(id, 9)
		broken.DER = []byte("another")
		if err := term.Publish(ctx, []record.Staple{broken}); err == nil {
			t.Error("a meta that describes another response was published")
		}
	})
}

func testPublishMany(t *testing.T, s *consultest.Server) {
	c := newClient(t, s)
	var list []record.Staple
	for i := range 130 {
		list = append(list, response(testID(i), 1))
	}
	large := response(testID(1000), 1)
	large.DER = bytes.Repeat([]byte("x"), record.MaxDER)
	large.Meta.SHA256 = record.Checksum(large.DER)
	for i := range 8 {
		st := large
		st.ID = testID(1000 + i)
		list = append(list, st)
	}
	list = append(list, response(testID(7), 3), response(testID(7), 2))
	lead(t, c, func(ctx context.Context, term *Term) {
		publish(t, ctx, term, list...)
		// 130 small ones are 3 publications, the large ones fill 2 more at
		// least.
		if h := headOf(t, s, c); h.Generation < 4 || h.Generation > 6 {
			t.Errorf("head = %+v", h)
		}
	})
	var ids []string
	for _, st := range list {
		ids = append(ids, st.ID)
	}
	found, err := c.Staples(t.Context(), ids)
	if err != nil || len(found) != 138 {
		t.Fatalf("%d are there, %v", len(found), err)
	}
	if st := found[testID(7)]; !st.Meta.ThisUpdate.Equal(list[len(list)-2].Meta.ThisUpdate) {
		t.Errorf("of three for one id, that of %s was published", st.Meta.ThisUpdate)
	}
}

// between is a proxy before the server that can do harm to transactions.
type between struct {
	*httptest.Server
	// harm, if it returns true, has answered itself.
	harm atomic.Pointer[func(w http.ResponseWriter, r *http.Request, real http.Handler) bool]
	seen atomic.Int64 // transactions
}

func newBetween(t *testing.T, s *consultest.Server) *between {
	t.Helper()
	real := httputil.NewSingleHostReverseProxy(&url.URL{Scheme: "http", Host: s.Address()})
	// Not the default transport: other tests' servers close its connections.
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	real.Transport = transport
	real.ErrorHandler = func(w http.ResponseWriter, _ *http.Request, _ error) { w.WriteHeader(http.StatusBadGateway) }
	b := &between{}
	b.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/txn") {
			b.seen.Add(1)
			if harm := b.harm.Load(); harm != nil && (*harm)(w, r, real) {
				return
			}
		}
		real.ServeHTTP(w, r)
	}))
	t.Cleanup(b.Close)
	return b
}

// An answer that is lost, before or after Consul did its work, leads to one
// publication, not to none or two.
func testPublishUncertain(t *testing.T, s *consultest.Server) {
	for name, done := range map[string]bool{"lost before": false, "lost after": true} {
		t.Run(name, func(t *testing.T) {
			b := newBetween(t, s)
			c := newClient(t, s, func(c *Config) { c.Address = b.Listener.Addr().String() })
			lead(t, c, func(ctx context.Context, term *Term) {
				publish(t, ctx, term, response(testID(1), 1))
				var times atomic.Int64
				var sent sync.Map // the transactions, each once
				harm := func(w http.ResponseWriter, r *http.Request, real http.Handler) bool {
					body, _ := io.ReadAll(r.Body)
					r.Body = io.NopCloser(bytes.NewReader(body))
					if !bytes.Contains(body, []byte(`"check-session"`)) {
						return false
					}
					sent.Store(string(body), true)
					if times.Add(1) > 2 {
						return false
					}
					if done {
						real.ServeHTTP(httptest.NewRecorder(), r)
					}
					w.WriteHeader(http.StatusInternalServerError)
					return true
				}
				b.harm.Store(&harm)
				publish(t, ctx, term, response(testID(1), 2))
				if h := headOf(t, s, c); h.Generation != 2 || h.Nonce != term.lastNonce() {
					t.Errorf("head = %+v", h)
				}
				if want := map[bool]int64{false: 3, true: 1}[done]; times.Load() != want {
					t.Errorf("%d transactions were sent, not %d", times.Load(), want)
				}
				different := 0
				sent.Range(func(any, any) bool { different++; return true })
				if different != 1 {
					t.Errorf("%d different transactions were sent", different)
				}
			})
		})
	}
}

// Another writer's head between the read and the write: the publication is
// made anew, after that one, and everything is to be compared.
func testPublishConflict(t *testing.T, s *consultest.Server) {
	b := newBetween(t, s)
	c := newClient(t, s, func(c *Config) { c.Address = b.Listener.Addr().String() })
	lead(t, c, func(ctx context.Context, term *Term) {
		publish(t, ctx, term, response(testID(1), 1))
		foreign := record.Head{Generation: 7, Nonce: "foreign", Before: "x"}
		var times atomic.Int64
		harm := func(_ http.ResponseWriter, _ *http.Request, _ http.Handler) bool {
			if times.Add(1) == 2 { // after the read of the metas
				put(t, s, c.keys.head(), foreign.Encode())
			}
			return false
		}
		b.harm.Store(&harm)
		publish(t, ctx, term, response(testID(1), 2))
		if h := headOf(t, s, c); h.Generation != 8 || h.Before != "foreign" {
			t.Errorf("head = %+v", h)
		}
		select {
		case <-term.doubt:
		default:
			t.Error("nothing makes Guard compare")
		}
	})
}

// No head, however it is written, leaves the leader without a number to go on
// with.
func testPublishPoisonedHead(t *testing.T, s *consultest.Server) {
	for name, test := range map[string]struct {
		head       string
		generation uint64
	}{
		"none":      {"", 4},
		"garbage":   {"\x00\xff garbage", 4},
		"overflow":  {"9223372036854775807 a b\n", 4},
		"last":      {"9007199254740992 a b\n", 4},
		"last but1": {"9007199254740991 a b\n", record.MaxGeneration},
		"lower":     {"1 a b\n", 2},
		"zero":      {"0 a b\n", 4},
		"huge":      {"3 a b\n" + strings.Repeat(testID(1)+"\n", 7000), 4},
	} {
		t.Run(name, func(t *testing.T) {
			c := newClient(t, s)
			lead(t, c, func(ctx context.Context, term *Term) {
				for i := range 3 {
					publish(t, ctx, term, response(testID(1), i))
				}
				if test.head == "" {
					if _, err := s.Client().KV().Delete(c.keys.head(), nil); err != nil {
						t.Fatal(err)
					}
				} else {
					put(t, s, c.keys.head(), []byte(test.head))
				}
				publish(t, ctx, term, response(testID(1), 9))
				if h := headOf(t, s, c); h.Generation != test.generation {
					t.Errorf("generation %d, not %d", h.Generation, test.generation)
				}
			})
			// A new leader has no number of its own.
			put(t, s, c.keys.head(), []byte("garbage"))
			lead(t, c, func(ctx context.Context, term *Term) {
				publish(t, ctx, term, response(testID(1), 10))
				if h := headOf(t, s, c); h.Generation != 1 || h.Before != record.NoNonce {
					t.Errorf("a new leader's head = %+v", h)
				}
			})
		})
	}
}

// Nothing that a former leader, or one that never was, writes comes through.
func testFence(t *testing.T, s *consultest.Server) {
	c := newClient(t, s)
	id := testID(1)
	one := campaign(t, c, "one")
	old := receive(t, "one leads", one.leads)
	publish(t, t.Context(), old, response(id, 1))
	if err := old.Trouble(t.Context(), id, &record.Trouble{Reason: "test"}); err != nil {
		t.Fatal(err)
	}
	_ = one.stop()

	// An empty session would fit the lock that nobody holds now.
	for name, id2 := range map[string]string{"former": old.session.id, "empty": "", "made up": "adf4238a-882b-9ddc-4a9d-5b6758e4159e"} {
		ctx, cancel := context.WithCancelCause(t.Context())
		term := newTerm(c, &session{c: c, id: id2, ctx: ctx, cancel: cancel})
		before := value(t, s, c.keys.head())
		for what, err := range map[string]error{
			"Publish":   term.Publish(t.Context(), []record.Staple{response(id, 2)}),
			"Reconcile": term.Reconcile(t.Context(), newMirror(response(id, 3))),
			"Trouble":   term.Trouble(t.Context(), id, nil),
			"Names":     term.Names(t.Context(), map[string]string{"a/b": id}),
		} {
			if !errors.Is(err, ErrNotLeader) {
				t.Errorf("%s session: %s: %v", name, what, err)
			}
		}
		if !bytes.Equal(value(t, s, c.keys.head()), before) || value(t, s, c.keys.trouble(id)) == nil || value(t, s, c.keys.name("a", "b")) != nil {
			t.Errorf("%s session: something was written", name)
		}
	}
}

// What a hand-made request reads is the response, byte for byte.
func testRawResponse(t *testing.T, s *consultest.Server) {
	c := newClient(t, s)
	st := response(testID(1), 1)
	lead(t, c, func(ctx context.Context, term *Term) { publish(t, ctx, term, st) })
	if got := rawGet(t, "http://"+s.Address()+"/v1/kv/"+c.keys.der(st.ID)+"?raw"); !bytes.Equal(got, st.DER) {
		t.Errorf("?raw gives %q", got)
	}
}

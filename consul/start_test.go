package consul

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"sync"
	"testing"

	"github.com/consul-ocsp/consul-ocsp/consul/consultest"
	"github.com/consul-ocsp/consul-ocsp/plugin/record"
)

// What a node asks Consul for when it starts: of what its disk has, only metas;
// a response where that says that a newer one is published, or where it has none,
// and there no meta first.
func testStart(t *testing.T, s *consultest.Server) {
	c := newClient(t, s)
	ids := []string{testID(1), testID(2), testID(3), testID(4)} // held, behind, ahead, lacking
	lead(t, c, func(ctx context.Context, term *Term) {
		publish(t, ctx, term, response(ids[0], 1), response(ids[1], 2), response(ids[2], 1), response(ids[3], 1))
	})
	disk := func() map[string]record.Staple {
		return map[string]record.Staple{ids[0]: response(ids[0], 1), ids[1]: response(ids[1], 1), ids[2]: response(ids[2], 5)}
	}
	full := disk()
	full[ids[1]], full[ids[3]] = response(ids[1], 2), response(ids[3], 1)
	for name, test := range map[string]struct {
		held  map[string]record.Staple
		metas int // asked for
		ders  []string
	}{
		"full":  {full, 4, nil},
		"empty": {map[string]record.Staple{}, 4, ids},
		"some":  {disk(), 5, []string{ids[1], ids[3]}},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBetween(t, s)
			var mu sync.Mutex
			var asked []byte
			listen := func(_ http.ResponseWriter, r *http.Request, _ http.Handler) bool {
				body, _ := io.ReadAll(r.Body)
				r.Body = io.NopCloser(bytes.NewReader(body))
				mu.Lock()
				defer mu.Unlock()
				asked = append(asked, body...)
				return false
			}
			b.harm.Store(&listen)
			n := &node{ids: ids, held: test.held}
			f := n.follower(newClient(t, s, func(o *Config) { o.Address, o.Path = b.Listener.Addr().String(), c.keys.root }), record.Head{})
			f.synced = false
			f.newest = mustGet(t, s, c.keys.head())
			if err := f.step(t.Context()); err != nil {
				t.Fatal(err)
			}
			if got := bytes.Count(asked, []byte("/meta/")); got != test.metas {
				t.Errorf("%d metas were asked for, not %d", got, test.metas)
			}
			if got := bytes.Count(asked, []byte("/der/")); got != len(test.ders) || n.count() != len(test.ders) {
				t.Errorf("%d responses were asked for and %d delivered, not %d", got, n.count(), len(test.ders))
			}
			for _, id := range test.ders {
				if !bytes.Contains(asked, []byte(c.keys.der(id))) {
					t.Errorf("%s was not asked for", id)
				}
			}
		})
	}
}

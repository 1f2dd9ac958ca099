package status

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/consul-ocsp/consul-ocsp/plugin/clocktest"
)

// Thousands who ask cost one read in two seconds, and a read that takes long
// comes the more seldom.
func TestOneReadForAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var reads, going atomic.Int64
		takes := 100 * time.Millisecond
		h := Handler(t.Context(), HandlerOptions{Read: func(context.Context) (*Report, error) {
			if reads.Add(1); going.Add(1) > 1 {
				t.Error("two reads at a time")
			}
			defer going.Add(-1)
			clocktest.Take(t.Context(), takes)
			return FromSnapshot(calm(), noon), nil
		}})
		all := func(path string) {
			var askers sync.WaitGroup
			for range 3000 {
				askers.Go(func() {
					if w := get(h, path); w.Code != http.StatusOK {
						t.Errorf("%d: %s", w.Code, w.Body)
					}
				})
			}
			askers.Wait()
		}
		want := func(n int64) {
			t.Helper()
			if got := reads.Load(); got != n {
				t.Errorf("%d reads, want %d", got, n)
			}
		}
		all("/v1/status")
		all("/v1/nodes")
		want(1)
		clocktest.Pass(keepAtLeast)
		takes = time.Second
		all("/v1/status")
		want(2)
		clocktest.Pass(9 * time.Second)
		all("/v1/staples/" + id("1"))
		want(2)
		clocktest.Pass(time.Second)
		all("/v1/status")
		want(3)
	})
}

// Where Consul does not answer, what data_dir has is shown and why; where there
// is nothing either, that is said. Neither is asked for again at once.
func TestReadFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		reads, local := 0, FromStore(calm().Metas, nil, nil, nil, noon)
		h := Handler(t.Context(), HandlerOptions{Read: func(context.Context) (*Report, error) {
			reads++
			return local, errors.New("no answer\x1b from Consul")
		}})
		for range 3 {
			w := get(h, "/v1/status")
			if body := w.Body.String(); w.Code != http.StatusOK || !strings.Contains(body, `"error": "no answer? from Consul"`) || !strings.Contains(body, `"source": "data_dir"`) {
				t.Errorf("%d: %.300s", w.Code, body)
			}
		}
		clocktest.Pass(keepFailed - 1)
		if get(h, "/v1/nodes"); reads != 1 {
			t.Errorf("%d reads", reads)
		}
		clocktest.Pass(time.Second)
		local = nil
		for range 3 {
			w := get(h, "/v1/nodes")
			if w.Code != http.StatusServiceUnavailable || w.Header().Get("Retry-After") != "10" || !strings.Contains(w.Body.String(), "no answer? from Consul") {
				t.Errorf("%d: %s", w.Code, w.Body)
			}
		}
		if reads != 2 {
			t.Errorf("%d reads", reads)
		}
	})
}

// Who goes away while Consul is asked waits no longer, and costs nobody else
// the answer.
func TestAskerGoes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		answer := make(chan struct{})
		v := newViews(t.Context(), func(context.Context) (*Report, error) {
			<-answer
			return FromSnapshot(calm(), noon), nil
		})
		gone, cancel := context.WithCancel(t.Context())
		var askers sync.WaitGroup
		askers.Go(func() {
			if _, err := v.get(gone); !errors.Is(err, context.Canceled) {
				t.Errorf("%v", err)
			}
		})
		synctest.Wait()
		cancel()
		askers.Wait()
		askers.Go(func() {
			if got, err := v.get(t.Context()); got == nil || err != nil {
				t.Errorf("%v", err)
			}
		})
		synctest.Wait()
		close(answer)
		askers.Wait()
		clocktest.Pass(forgetAfter)
		if v.last != nil {
			t.Error("a view that nobody asks for is kept")
		}
	})
}

package status

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/consul-ocsp/consul-ocsp/plugin/clocktest"
)

// However many ask for however many certificates, servers are asked seldom and
// one at a time.
func TestLooks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		var count, at, most atomic.Int32
		l := newLooks(ctx, func(context.Context, string) (Here, error) {
			count.Add(1)
			most.Store(max(most.Load(), at.Add(1)))
			clocktest.Take(ctx, time.Millisecond)
			at.Add(-1)
			return Here{Node: "n"}, nil
		})
		everybody := func(ids int) (refused int) {
			var wait sync.WaitGroup
			var no atomic.Int32
			for i := range 1000 {
				wait.Go(func() {
					if here, err := l.get(ctx, fmt.Sprint(i%ids)); errors.Is(err, errCrowded) {
						no.Add(1)
					} else if err != nil || here.Node != "n" {
						t.Errorf("%v %v", here, err)
					}
				})
			}
			wait.Wait()
			return int(no.Load())
		}
		if refused := everybody(1); refused > 0 || count.Load() != 1 {
			t.Errorf("one certificate: %d looks, %d refused", count.Load(), refused)
		}
		clocktest.Pass(keepLook)
		count.Store(0)
		began := time.Now()
		if refused := everybody(10); refused > 0 || count.Load() != 10 {
			t.Errorf("ten certificates: %d looks, %d refused", count.Load(), refused)
		}
		if refused := everybody(1000); refused == 0 {
			t.Error("a thousand certificates: nobody was refused")
		}
		if n, span := float64(count.Load()), time.Since(began).Seconds(); n > looksASecond*(span+1)+1 {
			t.Errorf("%v looks in %v s", n, span)
		}
		if most.Load() != 1 || len(l.byID) > mostLooks {
			t.Errorf("%d at a time, %d kept", most.Load(), len(l.byID))
		}
	})
}

// Who does not wait any longer, and an agent that stops, keep nobody.
func TestLooksEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, stop := context.WithCancel(t.Context())
		l := newLooks(ctx, func(ctx context.Context, _ string) (Here, error) {
			<-ctx.Done()
			return Here{}, ctx.Err()
		})
		impatient, cancel := context.WithTimeout(ctx, time.Second)
		defer cancel()
		if _, err := l.get(impatient, "1"); !errors.Is(err, context.DeadlineExceeded) {
			t.Error(err)
		}
		began := time.Now()
		if _, err := l.get(ctx, "1"); err == nil || time.Since(began) > lookTimeout {
			t.Errorf("%v after %v", err, time.Since(began))
		}
		time.AfterFunc(time.Second, stop)
		if _, err := l.get(context.WithoutCancel(ctx), "2"); !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	})
}

// Ids that somebody invents take no turn of those who ask for what is there.
func TestWhatIsNotHereTakesNoTurn(t *testing.T) {
	l := newLooks(t.Context(), func(context.Context, string) (Here, error) {
		t.Error("it was looked for what is not here")
		return Here{}, nil
	})
	l.has = func(string) (string, bool) { return "edge1", false }
	for i := range 2 * mostLooks {
		w := httptest.NewRecorder()
		l.show(w, httptest.NewRequest(http.MethodGet, "/", nil), fmt.Sprint(i))
		if w.Code != http.StatusNotFound || !strings.Contains(w.Body.String(), "edge1 has no file") {
			t.Fatalf("%d %s", w.Code, w.Body)
		}
	}
}

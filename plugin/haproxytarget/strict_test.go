package haproxytarget

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/consul-ocsp/consul-ocsp/plugin/clocktest"
)

// However many files ask at a time whether HAProxy is strict, it is asked once,
// and not soon again, whether it answers, is down or hangs.
func TestStrictIsAskedOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		asked := 0
		answer := func(context.Context) (bool, error) { return true, nil }
		s := newStrictness(func(ctx context.Context) (bool, error) {
			asked++ // guarded by turn, which the race detector sees
			return answer(ctx)
		})
		files := func(want bool, times int) {
			t.Helper()
			asked = 0
			began := time.Now()
			var all sync.WaitGroup
			for range 50 {
				all.Go(func() {
					if s.now(t.Context()) != want {
						t.Errorf("strict is %t, want %t", !want, want)
					}
				})
			}
			all.Wait()
			if took := time.Since(began); asked != times || took > strictTimeout {
				t.Errorf("HAProxy was asked %d times, want %d; that took %s", asked, times, took)
			}
		}
		files(true, 1)
		files(true, 0)
		answer = func(context.Context) (bool, error) { return false, errors.New("down") }
		clocktest.Pass(strictAge)
		files(true, 1)
		files(true, 0)
		answer = func(ctx context.Context) (bool, error) {
			<-ctx.Done()
			return false, ctx.Err()
		}
		clocktest.Pass(strictAge)
		files(true, 1)
		answer = func(context.Context) (bool, error) { return false, nil }
		clocktest.Pass(strictAge)
		// Who has no time gets the last answer, and leaves the question to others.
		ended, end := context.WithCancel(t.Context())
		end()
		if asked = 0; !s.now(ended) {
			t.Error("who has no time is told something else than the last answer")
		}
		files(false, 1)
	})
}

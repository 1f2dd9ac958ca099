// Package clocktest waits in the bubbles of testing/synctest, where time is made
// up: it goes on when everybody waits, at once.
package clocktest

import (
	"context"
	"testing"
	"testing/synctest"
	"time"
)

// patience is how much of a bubble's time Await waits.
const patience = time.Minute

// Await waits until a condition holds, which is looked at when nobody has anything
// left to do, and fails the test when it does not come about within a minute.
func Await(t testing.TB, what string, condition func() bool) {
	t.Helper()
	for began := time.Now(); ; Pass(10 * time.Millisecond) {
		synctest.Wait()
		if condition() {
			return
		}
		if time.Since(began) > patience {
			t.Fatalf("not seen: %s", what)
		}
	}
}

// Pass sets the bubble's clock forward, and waits until all that was due by then
// is done: for what goes by the clock, and for what must not happen. For what is
// expected use [Await]. Only one goroutine of a bubble may call either.
func Pass(d time.Duration) {
	Take(context.Background(), d)
	synctest.Wait()
}

// Take is how long something that is played takes, unless ctx ends before.
func Take(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

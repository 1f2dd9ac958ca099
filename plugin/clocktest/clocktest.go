// Package clocktest waits in tests: in the bubbles of testing/synctest, where time
// is made up and goes on when everybody waits, at once; and with Eventually for
// what takes real time.
package clocktest

import (
	"context"
	"testing"
	"testing/synctest"
	"time"
)

const (
	patience     = time.Minute      // of a bubble's time, for Await
	realPatience = 20 * time.Second // for Eventually: what only a try half a minute later brings is too late
)

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

// Eventually waits in real time until a condition holds, which is looked at every
// few milliseconds, and fails the test when it does not come about within twenty
// seconds. Only the test's own goroutine may call it.
func Eventually(t testing.TB, what string, condition func() bool) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	deadline := time.NewTimer(realPatience)
	defer deadline.Stop()
	for !condition() {
		select {
		case <-tick.C:
		case <-deadline.C:
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

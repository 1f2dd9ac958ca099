package writer

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/consul-ocsp/consul-ocsp/plugin/clocktest"
	"github.com/consul-ocsp/consul-ocsp/plugin/record"
)

// TestSlowClockIsWaitedOut: what seemed to come from the future is asked for
// again, since nobody delivers it twice.
func TestSlowClockIsWaitedOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		c := b.issue("www.example.com")
		good, ahead := b.answer(c, time.Hour), b.answer(c, 0)
		b.clock.add(-30 * time.Minute)
		b.writer.Set([]Certificate{c})
		src := newFeed()
		stop := b.run(src)
		defer stop()
		src.list <- []record.Staple{from(c, good)}
		src.list <- []record.Staple{from(c, ahead)}
		src.list <- []record.Staple{}
		s := b.state(c)
		if s.Refused == nil || s.Refused.Reason != "not-yet-valid" || s.Held.SHA256 != record.Checksum(good) {
			t.Fatalf("%+v", s)
		}
		select {
		case ids := <-src.woken:
			if len(ids) != 1 || ids[0] != c.ID {
				t.Errorf("woken for %v", ids)
			}
		case <-time.After(2 * earlyInterval):
			t.Fatal("the source was not asked again")
		}
		b.clock.add(30 * time.Minute)
		src.list <- []record.Staple{from(c, ahead)}
		src.list <- []record.Staple{}
		if s := b.state(c); s.Refused != nil || s.Held.SHA256 != record.Checksum(ahead) {
			t.Errorf("%+v", s)
		}
		select {
		case <-src.woken:
			t.Error("asked again for nothing")
		case <-time.After(2 * earlyInterval):
		}
	})
}

// TestFastClockTakesNothing: what seems to have ended stays where it is, and is
// all right as soon as the clock is.
func TestFastClockTakesNothing(t *testing.T) {
	b := newBench(t)
	target := newRecorder("haproxy")
	target.epoch = "pid 1"
	c, next := b.issue("www.example.com"), b.issue("next.example.com")
	c.Targets, next.Targets = []Target{target}, []Target{target}
	b.writer.Set([]Certificate{c, next})
	src := newFeed()
	b.run(src)
	der, waits := b.answer(c, time.Minute), b.answer(next, time.Minute)
	src.list <- []record.Staple{from(c, der)}
	clocktest.Eventually(t, "the staple", func() bool { return target.has(c.Name, der) })
	b.clock.add(55 * time.Minute) // too little is left of it for HAProxy
	src.list <- []record.Staple{from(next, waits)}
	clocktest.Eventually(t, "the misfit", func() bool { return b.state(next).Reason == "short-lived" })
	b.clock.add(2 * time.Hour)
	clocktest.Eventually(t, "the end", func() bool { return b.state(c).Reason == ReasonEnded })
	b.holds(c.Path+".ocsp", der)
	calls := target.count()
	b.clock.add(-2*time.Hour - 55*time.Minute)
	clocktest.Eventually(t, "all to be well", func() bool {
		return b.state(c).Reason == "" && b.state(next).Reason == "" && target.has(next.Name, waits)
	})
	b.holds(next.Path+".ocsp", waits)
	if n := target.count(); n != calls+1 {
		t.Errorf("told %d times", n-calls)
	}
}

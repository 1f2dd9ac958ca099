package writer

import (
	"testing"
	"testing/synctest"
	"time"

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

package writer

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/consul-ocsp/consul-ocsp/plugin/clocktest"
)

func newTestQueue() *queue {
	return newQueue(time.Second, time.Minute, func() float64 { return 1 })
}

func TestQueueHoldsAnEntryOnce(t *testing.T) {
	q := newTestQueue()
	a, b := &entry{}, &entry{}
	q.add(a)
	q.add(b)
	q.add(a)
	if q.take() != a || q.take() != b || q.take() != nil {
		t.Error("order or number is wrong")
	}
	q.add(a) // while it is worked at: once more
	q.add(a)
	if q.take() != nil {
		t.Error("an entry was given to two workers")
	}
	q.done(a, true)
	if q.take() != a || q.take() != nil {
		t.Error("what was added meanwhile is lost")
	}
	q.done(a, false)
	q.done(b, false)
	if len(q.slots) != 0 {
		t.Errorf("%d slots stayed", len(q.slots))
	}
}

func TestQueuePausesGrow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := newTestQueue()
		e := &entry{}
		q.add(e)
		for _, want := range []time.Duration{1, 2, 4, 8, 16, 32, 60, 60} {
			if q.take() != e {
				t.Fatal("not there")
			}
			<-q.ready
			at := time.Now()
			q.done(e, true)
			<-q.ready
			if got := time.Since(at); got != want*time.Second {
				t.Errorf("pause %s, want %ds", got, want)
			}
			q.signal() // as take leaves it for the next round
		}
		// Something new does not wait, and begins with short pauses again.
		q.take()
		q.done(e, true)
		q.add(e)
		if q.take() != e {
			t.Error("something new waits")
		}
		q.add(e)
		q.done(e, true)
		q.take()
		q.done(e, true)
		if got := q.slots[e].tries; got != 1 {
			t.Errorf("%d tries", got)
		}
		q.stop()
		clocktest.Pass(time.Hour)
		if q.take() != nil {
			t.Error("work after the stop")
		}
	})
}

func TestPauseIsJittered(t *testing.T) {
	q := newQueue(time.Second, time.Minute, func() float64 { return 0 })
	for tries, want := range map[int]time.Duration{0: time.Second / 2, 3: 4 * time.Second, 6: 30 * time.Second, 1000: 30 * time.Second} {
		if got := q.pause(tries); got != want {
			t.Errorf("after %d: %s, want %s", tries, got, want)
		}
	}
}

package fetcher

import (
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/time/rate"

	"github.com/consul-ocsp/consul-ocsp/plugin/clocktest"
)

func TestManyHostsShareABound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const hosts, each = 1000, 6
		l := newLanes(t.Context(), func(string) limit { return limit{concurrency: 4, rate: rate.Inf} })
		l.places.most = 64
		var running, most, done, hostsDone atomic.Int64
		start := time.Now()
		for h := range hosts {
			var first atomic.Bool
			for range each {
				l.submit(fmt.Sprint(h), job{run: func() {
					most.Store(max(most.Load(), running.Add(1)))
					clocktest.Take(t.Context(), time.Second)
					running.Add(-1)
					done.Add(1)
					if first.CompareAndSwap(false, true) {
						hostsDone.Add(1)
					}
				}})
			}
		}
		// No host is served a second time long before each has been once.
		clocktest.Pass((hosts/48 + 8) * time.Second)
		if hostsDone.Load() != hosts {
			t.Errorf("%d of %d hosts had a turn, %d jobs are done", hostsDone.Load(), hosts, done.Load())
		}
		l.wait()
		if most.Load() != 48 { // three quarters, since none is known to answer
			t.Errorf("%d at a time", most.Load())
		}
		if took := time.Since(start); done.Load() != hosts*each || took > (hosts*each/48+5)*time.Second {
			t.Errorf("%d jobs took %v", done.Load(), took)
		}
		if l.places.taken != 0 || l.places.unproven != 0 {
			t.Errorf("places left taken: %+v", l.places)
		}
	})
}

// However many hosts hang, those that answer are asked at once.
func TestDeadHostsLeavePlacesToOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLanes(t.Context(), func(host string) limit {
			return limit{concurrency: 8, rate: rate.Inf, proven: strings.HasPrefix(host, "good")}
		})
		l.places.most = 32
		for h := range 500 {
			for range 8 {
				l.submit(fmt.Sprintf("dead%d", h), job{run: func() { clocktest.Take(t.Context(), 10*time.Second) }})
			}
		}
		clocktest.Pass(time.Second)
		start := time.Now()
		var done atomic.Int64
		for h := range 4 {
			for range 100 {
				l.submit(fmt.Sprintf("good%d", h), job{run: func() {
					clocktest.Take(t.Context(), 10*time.Millisecond)
					done.Add(1)
				}})
			}
		}
		// 8 places are theirs: 400 jobs of 10 ms.
		clocktest.Pass(time.Second)
		if done.Load() != 400 {
			t.Errorf("%d of 400 were done while others hang, after %v", done.Load(), time.Since(start))
		}
		l.wait()
	})
}

// A host that hangs with all that it may have keeps none of its places from a
// host of which nothing is known.
func TestAnUnknownHostHasATurnBesideOneThatHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLanes(t.Context(), func(string) limit { return limit{concurrency: 128, rate: rate.Inf} })
		l.places.most = 256
		for range 1000 {
			l.submit("dead", job{run: func() { clocktest.Take(t.Context(), 10*time.Second) }})
		}
		synctest.Wait()
		var slowest atomic.Int64
		start := time.Now()
		for h := range 100 {
			l.submit(fmt.Sprintf("new%d", h), job{run: func() {
				if waited := int64(time.Since(start)); waited > 100*int64(time.Millisecond) {
					slowest.Store(waited)
				}
				clocktest.Take(t.Context(), time.Millisecond)
			}})
		}
		clocktest.Pass(time.Second)
		if waited := slowest.Load(); waited > 0 {
			t.Errorf("an unknown host waited %v", time.Duration(waited))
		}
		l.wait()
	})
}

// Workers, places and queues agree whatever happens to a lane.
func TestPlacesAreCounted(t *testing.T) {
	p := places{most: 8}
	a, b, c := &lane{}, &lane{}, &lane{exempt: true}
	for range 5 {
		p.take(a)
	}
	if p.take(b); b.workers != 1 || p.unproven != 6 || p.take(a) {
		t.Fatalf("%+v", p)
	}
	p.wait(a)
	p.wait(b)
	if p.next() != nil || p.owes(b) || !p.owes(a) {
		t.Errorf("whoever has fewer comes first: %+v", p)
	}
	p.prove(b, true)
	if p.unproven != 5 || p.next() != b || p.next() != a {
		t.Errorf("%+v", p)
	}
	for range 3 {
		p.take(b)
	}
	if !p.take(c) || p.taken != 8 || p.take(b) {
		t.Errorf("full: %+v", p)
	}
	p.prove(b, false)
	if p.unproven != 8 {
		t.Errorf("more than their part, for a while: %+v", p)
	}
	for a.workers > 0 {
		p.give(a)
	}
	for b.workers > 0 {
		p.give(b)
	}
	if p.give(c); p.taken != 0 || p.unproven != 0 || len(p.waiting[0])+len(p.waiting[1]) != 0 {
		t.Errorf("%+v", p)
	}
}

package consul

import (
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/consul-ocsp/consul-ocsp/consul/consultest"
	"github.com/consul-ocsp/consul-ocsp/plugin/record"
)

func reloaderOf(node string) record.Reloader {
	return record.Reloader{Instance: "i-" + node, Node: node, Job: "edge", Target: "haproxy"}
}

// However many nodes ask at the same moment, no more than allowed reload at a
// time, each gets its turn, and the record is empty in the end.
func testReloadTurns(t *testing.T, s *consultest.Server) {
	const nodes, most = 12, 2
	keys := root(t)
	same := func(c *Config) { c.Path = keys }
	var now, peak, turns atomic.Int32
	var all sync.WaitGroup
	for i := range nodes {
		c, me := newClient(t, s, same), reloaderOf(fmt.Sprint(i))
		all.Go(func() { // ends when it had its turn, or with the test
			for t.Context().Err() == nil {
				ok, stopped, err := c.TakeReload(t.Context(), me, most, false)
				if stopped != nil {
					t.Errorf("stopped by %v", stopped)
				}
				if err != nil || !ok {
					continue // one that loses each time tries again, as a node does
				}
				if n := now.Add(1); n > peak.Load() {
					peak.Store(n)
				}
				turns.Add(1)
				now.Add(-1)
				for c.GiveReload(t.Context(), me, "") != nil && t.Context().Err() == nil {
				}
				return
			}
		})
	}
	all.Wait()
	if turns.Load() != nodes || peak.Load() > most {
		t.Errorf("%d turns, %d at a time", turns.Load(), peak.Load())
	}
}

// A node that fails stops the others until it is mended; a turn that is never
// given back ends; what is not readable stops nobody.
func testReloadStops(t *testing.T, s *consultest.Server) {
	clock := time.Now()
	a := newClient(t, s, func(c *Config) { c.Now = func() time.Time { return clock } })
	me, other := reloaderOf("a"), reloaderOf("b")
	take := func(who record.Reloader, urgent, want bool) *record.ReloadFailure {
		t.Helper()
		ok, stopped, err := a.TakeReload(t.Context(), who, 1, urgent)
		if err != nil || ok != want {
			t.Fatalf("%s: %v, %v, %v", who.Node, ok, stopped, err)
		}
		return stopped
	}
	put(t, s, a.keys.reload(), []byte("garbage"))
	take(me, false, true)
	take(other, false, false)
	if err := a.GiveReload(t.Context(), me, "[ALERT] unknown keyword"); err != nil {
		t.Fatal(err)
	}
	if stopped := take(other, false, false); stopped == nil || !strings.Contains(stopped.String(), "unknown keyword") {
		t.Fatalf("stopped by %v", stopped)
	}
	take(me, false, true)
	if err := a.GiveReload(t.Context(), me, ""); err != nil {
		t.Fatal(err)
	}
	take(other, false, true)
	take(me, true, false)
	clock = clock.Add(record.ReloadHold)
	take(me, false, true)
}

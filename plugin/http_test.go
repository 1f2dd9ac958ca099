package plugin

import (
	"sync"
	"testing"
	"time"
)

// An agent one of whose locks is held for ever does not live, however many ask;
// and it does again when the lock is free.
func TestLive(t *testing.T) {
	a, _ := newAgent(t)
	if p := a.parts(); !p.live(t.Context()).OK || p.ready(t.Context()).OK {
		t.Error("an agent that starts is dead, or ready")
	}
	runs(t, a)
	alive(t, a)
	p := a.parts()
	if !p.live(t.Context()).OK || !p.ready(t.Context()).OK {
		t.Errorf("%+v, %+v", p.live(t.Context()), p.ready(t.Context()))
	}
	p.holding.mu.Lock()
	var askers sync.WaitGroup
	for range 100 {
		askers.Go(func() {
			if h := p.live(t.Context()); h.OK || len(h.Reasons) != 1 {
				t.Errorf("%+v", h)
			}
		})
	}
	askers.Wait()
	p.holding.mu.Unlock()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for range 1000 {
		if p.live(t.Context()).OK {
			return
		}
		<-tick.C
	}
	t.Error("it does not live again")
}

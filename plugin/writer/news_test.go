package writer

import (
	"testing"
	"time"

	"github.com/consul-ocsp/consul-ocsp/plugin/clocktest"
	"github.com/consul-ocsp/consul-ocsp/plugin/record"
)

// TestChangedIsToldOfTroubles: whoever shows a node's troubles to others need
// not look again and again.
func TestChangedIsToldOfTroubles(t *testing.T) {
	b := newBench(t)
	news := make(chan struct{}, 1)
	b.writer.config.Changed = func() {
		select {
		case news <- struct{}{}:
		default:
		}
	}
	c := b.issue("www.example.com")
	target := newRecorder("haproxy")
	c.Targets = []Target{target}
	b.writer.Set([]Certificate{c})
	src := newFeed()
	b.run(src)
	// shown waits until what is told brings somebody who looks then to see it.
	shown := func(what string, seen func(State) bool) {
		t.Helper()
		clocktest.Eventually(t, what, func() bool {
			select {
			case <-news:
				return seen(b.state(c))
			default:
				return false
			}
		})
	}
	good := b.answer(c, time.Minute)
	src.list <- []record.Staple{from(c, good)}
	shown("a staple", func(s State) bool { return s.Applied.Status == "good" })
	clocktest.Eventually(t, "the target", func() bool { return target.has(c.Name, good) })

	src.list <- []record.Staple{from(c, []byte("no response"))}
	shown("a refusal", func(s State) bool { return s.Refused != nil })
	src.list <- []record.Staple{from(c, good)}
	shown("its end", func(s State) bool { return s.Refused == nil })

	target.set(func() { target.fail = func(Staple) error { return errDown } })
	src.list <- []record.Staple{from(c, b.answer(c, time.Second, revoked))}
	shown("a target's failure", func(s State) bool { return s.Targets[0].Reason != "" })
	target.set(func() { target.fail = nil })
	shown("its end", func(s State) bool { return s.Targets[0].Reason == "" })
}

// TestRefreshIsToldApart: a newer response of the same status is no news that
// an operator waits for.
func TestRefreshIsToldApart(t *testing.T) {
	b := newBench(t)
	changed, refreshed := make(chan struct{}, 100), make(chan struct{}, 100)
	b.writer.config.Changed = func() { changed <- struct{}{} }
	b.writer.config.Refreshed = func() { refreshed <- struct{}{} }
	c := b.issue("www.example.com")
	b.writer.Set([]Certificate{c})
	src := newFeed()
	b.run(src)
	src.list <- []record.Staple{from(c, b.answer(c, time.Minute))}
	clocktest.Eventually(t, "the first", func() bool { return b.state(c).Filed })
	clocktest.Eventually(t, "its news", func() bool {
		files := b.writer.run.files
		files.mu.Lock()
		defer files.mu.Unlock()
		return len(files.slots) == 0 // all is told
	})
	for len(changed) > 0 {
		<-changed
	}
	src.list <- []record.Staple{from(c, b.answer(c, time.Second))}
	clocktest.Eventually(t, "a refresh", func() bool { return len(refreshed) > 0 })
	if len(changed) > 0 {
		t.Error("it was told as a change")
	}
}

package fetcher

import (
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/consul-ocsp/consul-ocsp/plugin/clocktest"
	"github.com/consul-ocsp/consul-ocsp/plugin/responder"
	"github.com/consul-ocsp/consul-ocsp/plugin/testca"
)

// deadScene has certificates of one host that does not answer while dead is
// set, and a clock that is ahead by so many nanoseconds.
func deadScene(t *testing.T, names ...string) (s *scene, targets []Target, dead *atomic.Bool, ahead *atomic.Int64) {
	s, dead, ahead = newScene(t), new(atomic.Bool), new(atomic.Int64)
	dead.Store(true)
	c := s.f.c
	c.Now = func() time.Time { return time.Now().Add(time.Duration(ahead.Load())).Round(0) }
	c.Rand = func() float64 { return 0.5 }
	s.f = New(c)
	s.f.ask = s.exchange
	for _, name := range names {
		target := s.target(name)
		s.answer(target, func(r responder.Request) (*responder.Answer, error) {
			if dead.Load() {
				return nil, &responder.Failure{Reason: responder.Refused, URL: r.URL, Requests: 1}
			}
			now := c.Now()
			return s.respond(testca.Answer{Serial: target.Leaf.SerialNumber, ThisUpdate: now, NextUpdate: now.Add(24 * time.Hour)}), nil
		})
		targets = append(targets, target)
	}
	return s, targets, dead, ahead
}

func TestWhoEndsSoonFindsOutForAllThatAHostIsBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, targets, dead, _ := deadScene(t, "a", "b", "near")
		near := targets[2]
		s.store(near, testca.Answer{ThisUpdate: time.Now().Add(-time.Hour), NextUpdate: time.Now().Add(3 * time.Hour)})
		s.f.Set(targets)
		s.run(s.f)
		clocktest.Pass(2*time.Hour + 40*time.Minute)
		dead.Store(false)
		for range 10 * 60 {
			clocktest.Pass(time.Second)
			if s.state(near.ID).Outcome == Fetched {
				break
			}
		}
		if left := s.state(near.ID); left.Outcome != Fetched {
			t.Fatalf("not asked for though it ends in minutes: %+v", left)
		}
		clocktest.Pass(2 * time.Second)
		for _, target := range targets {
			if got := s.state(target.ID); got.Outcome != Fetched || got.Reason != "" {
				t.Errorf("not fetched with it: %+v", got)
			}
		}
	})
}

func TestAPausedHostIsAskedAtOnceUnderNewSettings(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, targets, dead, _ := deadScene(t, "a", "b")
		s.f.Set(targets)
		s.run(s.f)
		clocktest.Pass(2*time.Hour + time.Minute)
		dead.Store(false)
		for i := range targets {
			targets[i].Settings.Proxy = "proxy.example.com:3128"
		}
		s.f.Set(targets)
		clocktest.Pass(2 * time.Second)
		for _, target := range targets {
			if got := s.state(target.ID); got.Outcome != Fetched {
				t.Errorf("%+v", got)
			}
		}
	})
}

func TestAClockThatIsSetBackStopsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, back := range []time.Duration{20 * time.Minute, 5 * 24 * time.Hour} {
			// Nothing is held, and the host is paused.
			s, targets, dead, ahead := deadScene(t, "a", "b")
			s.f.Set(targets)
			stop := s.run(s.f)
			clocktest.Pass(10 * time.Hour)
			dead.Store(false)
			ahead.Store(int64(-back))
			clocktest.Pass(time.Hour + 2*time.Minute)
			for _, target := range targets {
				if got := s.state(target.ID); got.Outcome != Fetched {
					t.Errorf("set back by %v: %+v", back, got)
				}
			}
			// A good response is held.
			n := s.requests()
			ahead.Add(int64(-back))
			clocktest.Pass(time.Hour + 2*time.Minute)
			if s.requests() < n+len(targets) {
				t.Errorf("set back by %v again: %d requests in an hour, want one for each", back, s.requests()-n)
			}
			stop()
		}
	})
}

func TestAPauseIsShorterForWhoEndsSoon(t *testing.T) {
	h := &host{paused: true, failures: 12, failedAt: noon, jitter: 0.5}
	for left, want := range map[time.Duration]time.Duration{
		24 * time.Hour: time.Hour, 20 * time.Minute: 5 * time.Minute, time.Second: 30 * time.Second,
	} {
		if got := h.open(noon.Add(left), noon, defined).Sub(noon); got != want {
			t.Errorf("%v left: opens after %v, want %v", left, got, want)
		}
	}
	if got := h.open(noon.Add(time.Hour), noon.Add(-time.Minute), defined); !got.IsZero() {
		t.Errorf("closed until %v by a failure that is to come", got)
	}
}

// TestNextDependsOnWhatWentBefore has the same response with each history.
func TestNextDependsOnWhatWentBefore(t *testing.T) {
	l := lived(0, 4*time.Hour)
	for _, c := range []struct {
		name string
		l    life
		h    history
		want time.Duration
	}{
		{"fetched", l, history{}, time.Hour},
		{"fetched, fresh for a while", l, history{freshUntil: noon.Add(20 * time.Minute)}, 20 * time.Minute},
		{"fetched, hardly fresh", l, history{freshUntil: noon}, 5 * time.Minute},
		{"fetched, fresh for long", l, history{freshUntil: noon.Add(9 * time.Hour)}, time.Hour},
		{"found in the store", l, history{found: true}, 32*time.Minute + 30*time.Second},
		{"another process was faster", life{}, history{}, 5 * time.Minute},
		{"failed", l, history{failures: 3}, 4 * time.Minute},
		{"failed, just issued", life{}, history{failures: 9, quick: true}, time.Minute},
		{"its host is paused", l, history{failures: 3, waits: true, opens: noon.Add(40 * time.Minute)}, 40 * time.Minute},
		{"one of its hosts is", l, history{failures: 3, waits: true, own: true, opens: noon.Add(40 * time.Minute)}, 4 * time.Minute},
		{"its host is open by now", l, history{failures: 3, waits: true, opens: noon.Add(-time.Minute)}, time.Second},
	} {
		jitter := 0.5
		if c.h.failures == 0 && !c.h.found {
			jitter = 0
		}
		if got := next(c.l, c.h, noon, defined, jitter).Sub(noon); got != c.want {
			t.Errorf("%s: after %v, want %v", c.name, got, c.want)
		}
	}
}

func TestAHostThatAnswersIsBackWhateverTheClockSaid(t *testing.T) {
	h := &host{window: firstWindow, threshold: 1 << 16, paused: true, failures: 3, failedAt: noon.Add(time.Hour), cut: noon.Add(time.Hour)}
	if _, recovered := h.learn(seen{id: "a", began: noon, end: noon.Add(time.Second), signal: answered}); !recovered || h.paused {
		t.Errorf("recovered %v: %+v", recovered, h)
	}
}

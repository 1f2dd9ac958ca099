package fetcher

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/consul-ocsp/consul-ocsp/plugin/clocktest"
	"github.com/consul-ocsp/consul-ocsp/plugin/responder"
	"github.com/consul-ocsp/consul-ocsp/plugin/testca"
)

func TestTheWindowGrowsByOneAndIsHalved(t *testing.T) {
	h := &host{window: firstWindow, threshold: 1 << 16}
	at := noon
	step := func(s signal, quick bool) {
		began := at
		at = at.Add(time.Second)
		seen := seen{id: "a", began: began, end: at, signal: s, quick: quick}
		if s != answered && s != none {
			seen.failed = &failure{reason: "x"}
		}
		h.learn(seen)
		at = at.Add(time.Second)
	}
	expect := func(what string, want int) {
		t.Helper()
		if int(h.window) != want {
			t.Errorf("%s: window %v, want %d", what, h.window, want)
		}
	}
	for range 12 {
		step(answered, true)
	}
	expect("quick answers", 16)
	step(answered, false)
	step(none, false)
	expect("a slow answer", 16)
	step(hurt, false)
	expect("a timeout", 8)
	for range 8 {
		step(answered, true)
	}
	expect("a window's worth of answers after it", 8)
	step(answered, true)
	expect("and one", 9)
	step(busy, false)
	expect("429", 4)
	step(gone, false)
	expect("nobody there says nothing of load", 4)
	// Of many that were under way, one halves it.
	began := at
	for i := range 5 {
		at = at.Add(time.Second)
		h.learn(seen{id: fmt.Sprint(i), began: began, end: at, signal: hurt, failed: &failure{reason: "x"}})
	}
	expect("five timeouts of a time", 2)
	for range 10 {
		step(hurt, false)
	}
	expect("trouble without end", 1)
}

func TestOneCertificatesTroubleIsNotItsHosts(t *testing.T) {
	for _, c := range []struct {
		name    string
		signals []signal
		ids     string
		paused  bool
	}{
		{"one certificate", []signal{hurt, hurt, gone}, "aaa", false},
		{"two", []signal{hurt, gone}, "ab", true},
		{"two, and one that works between", []signal{hurt, answered, hurt}, "axb", false},
		{"a pause is asked for", []signal{busy}, "a", true},
		{"and one works", []signal{busy, answered}, "ab", false},
		{"never dialled", []signal{none, none}, "ab", false},
	} {
		h, at := &host{window: firstWindow}, noon
		for i, s := range c.signals {
			h.learn(seen{id: c.ids[i : i+1], began: at, end: at.Add(time.Second), signal: s, failed: &failure{reason: "x"}})
			at = at.Add(time.Minute)
		}
		if h.paused != c.paused {
			t.Errorf("%s: paused %v", c.name, h.paused)
		}
		if open := h.open(noon.Add(time.Hour), at, defined); open.IsZero() == c.paused {
			t.Errorf("%s: opens %v", c.name, open)
		}
	}
}

// The load on a responder host, with answers that take a second each.
func TestConcurrencyFollowsWhatAHostBears(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newScene(t)
		var running, most atomic.Int64
		var trouble atomic.Bool
		s.f.ask = func(ctx context.Context, r responder.Request) (*responder.Answer, error) {
			n := running.Add(1)
			defer running.Add(-1)
			most.Store(max(most.Load(), n))
			clocktest.Take(ctx, time.Second)
			if trouble.Load() {
				return nil, &responder.Failure{Reason: responder.HTTPStatus, HTTPStatus: 429, URL: r.URL}
			}
			return s.exchange(ctx, r)
		}
		var targets []Target
		for i := range 120 {
			targets = append(targets, s.target(fmt.Sprintf("c%03d", i)))
			targets[i].Settings.Concurrency = 24
		}
		s.f.Set(targets)
		s.run(s.f)
		for _, want := range []int64{4, 8, 16, 24, 24} {
			clocktest.Pass(500 * time.Millisecond)
			if most.Load() != want {
				t.Errorf("%d at a time, want %d", most.Load(), want)
			}
			clocktest.Pass(500 * time.Millisecond)
		}
		trouble.Store(true)
		clocktest.Pass(2 * time.Second)
		before := s.f.Counts().Turns[Failed]
		most.Store(0)
		clocktest.Pass(30 * time.Minute)
		if most.Load() > 1 || before == 0 {
			t.Errorf("%d at a time while a pause is asked for; %d failed before", most.Load(), before)
		}
	})
}

func TestADeadHostIsAskedOnceInAWhile(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newScene(t)
		var targets []Target
		var dead atomic.Bool
		dead.Store(true)
		for i := range 200 {
			target := s.target(fmt.Sprintf("c%03d", i), "http://dead.example.com")
			s.answer(target, func(r responder.Request) (*responder.Answer, error) {
				if dead.Load() {
					clocktest.Take(t.Context(), 10*time.Second)
					return nil, &responder.Failure{Reason: responder.Timeout, URL: r.URL, Requests: 1}
				}
				return s.good(target.Leaf.SerialNumber, time.Hour), nil
			})
			targets = append(targets, target)
		}
		other := s.target("other", "http://alive.example.com")
		s.f.Set(append(targets, other))
		s.run(s.f)
		clocktest.Pass(15 * time.Second)
		if got := s.state(other.ID); got.Outcome != Fetched {
			t.Errorf("the other host's: %+v", got)
		}
		clocktest.Pass(4 * time.Hour)
		// 4 at once, then one after 1, 2, 4, ... minutes; now and then two, since
		// the first may have begun before.
		if n := s.requests(); n > 30 {
			t.Errorf("%d requests for 200 certificates of a dead host in 4 hours", n)
		}
		for _, target := range targets {
			if got := s.state(target.ID); got.Outcome != Failed || got.Reason != "timeout" || got.Next.IsZero() {
				t.Fatalf("state %+v", got)
			}
		}
		dead.Store(false)
		clocktest.Pass(time.Hour + time.Minute)
		for _, target := range targets {
			if got := s.state(target.ID); got.Status != "good" {
				t.Fatalf("state %+v", got)
			}
		}
	})
}

func TestAPassGivesUpOnAHostWhereEverythingFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScene(t)
		var targets []Target
		for i := range 100 {
			target := s.target(fmt.Sprintf("c%03d", i), "http://dead.example.com")
			s.fail(target, responder.Timeout)
			targets = append(targets, target)
		}
		s.f.Set(append(targets, s.target("other", "http://alive.example.com")))
		for range 2 {
			before, failed := s.requests(), 0
			for _, r := range s.f.Pass(t.Context(), PassOptions{Force: true}) {
				if r.Outcome == Failed && r.Reason == "timeout" {
					failed++
				}
			}
			if n := s.requests() - before; failed != 100 || n < mostInVain+1 || n > mostInVain+1+2*firstWindow {
				t.Errorf("%d failed, after %d requests", failed, n)
			}
		}
	})
}

func TestRetryAfterHoldsForAllOfAHost(t *testing.T) {
	now := time.Now().Truncate(time.Second)
	for header, want := range map[string]time.Duration{
		"1200": 20 * time.Minute,
		now.Add(20 * time.Minute).UTC().Format(http.TimeFormat): 20 * time.Minute,
		strconv.Itoa(10 * 24 * 3600):                            time.Hour, // max_delay
		"-1":                                                    30 * time.Second,
	} {
		for _, status := range []int{http.StatusTooManyRequests, http.StatusServiceUnavailable} {
			if want < time.Minute && status != http.StatusTooManyRequests {
				continue // asks for no pause
			}
			s := fixedScene(t, now)
			var asked atomic.Int64
			server := serve(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				asked.Add(1)
				w.Header().Set("Date", now.UTC().Format(http.TimeFormat))
				w.Header().Set("Retry-After", header)
				w.WriteHeader(status)
			}))
			var targets []Target
			for i := range 10 {
				target := s.target(fmt.Sprintf("c%d", i), server.URL)
				target.Settings.Concurrency = 1
				s.store(target, testca.Answer{ThisUpdate: now.Add(-6 * 24 * time.Hour), NextUpdate: now.Add(24 * time.Hour)})
				targets = append(targets, target)
			}
			s.f.Set(targets)
			s.f.Pass(t.Context(), PassOptions{Force: true})
			if asked.Load() != 10 {
				t.Errorf("a pass that is forced asked %d times", asked.Load())
			}
			for _, st := range s.f.States() {
				if got := st.Next.Sub(now); got != want {
					t.Errorf("%d %s: next after %v, want %v", status, header, got, want)
				}
			}
			// All are due, as far as they know; the host is not to be asked.
			s.f.mu.Lock()
			for _, it := range s.f.items {
				it.failing = &failing{count: 1} // not fresh
				s.f.queue(it, now)
			}
			s.f.mu.Unlock()
			turns := s.f.Counts().Turns[Failed]
			stop := s.run(s.f)
			clocktest.Eventually(t, "each has had its turn", func() bool { return s.f.Counts().Turns[Failed] == turns+10 })
			stop()
			if asked.Load() != 10 {
				t.Errorf("asked %d times in the pause", asked.Load()-10)
			}
		}
	}
}

func TestTheFirstWindow(t *testing.T) {
	for most, want := range map[int]int{1: 1, 3: 3, 4: 4, 32: 4, 64: 8, 128: 16, 1000: 16} {
		hs := newHosts()
		if got := hs.concurrency("host", most); got != want || first(most) != want {
			t.Errorf("%d of %d, want %d", got, most, want)
		}
	}
}

// A host of which nothing is known gets few requests, however many may be sent.
func TestAHostIsBegunWithGently(t *testing.T) {
	s := realScene(t)
	blocked := make(chan struct{}, 64)
	slow := serve(t, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		blocked <- struct{}{}
		<-r.Context().Done()
	}))
	fast := serve(t, s.ca.Responder(testca.ResponderOptions{}))
	var targets []Target
	for i := range 60 {
		target := s.target(fmt.Sprintf("c%02d", i), []string{slow.URL, fast.URL}[i%2])
		target.Settings = Settings{Concurrency: 128, Timeout: time.Minute}
		targets = append(targets, target)
	}
	s.f.Set(targets)
	stop := s.run(s.f)
	for range first(128) {
		<-blocked
	}
	clocktest.Eventually(t, "all of the fast host's are published", func() bool { return len(s.memory.publications()) == 30 })
	if n := len(blocked); n != 0 {
		t.Errorf("%d more than %d at a time", n, first(128))
	}
	stop()
}

package fetcher

import (
	"context"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/time/rate"

	"github.com/consul-ocsp/consul-ocsp/plugin/clocktest"
)

func TestLimitsAreTheSmallestOfAHostsTargets(t *testing.T) {
	s := newScene(t)
	a, b, c := s.target("a", "http://one.example.com/x"), s.target("b", "http://ONE.example.com/y", "https://two.example.com:8443"), s.target("c", "::")
	a.Settings = Settings{Concurrency: 8, Rate: 10}
	b.Settings = Settings{Concurrency: 4, Rate: 100}
	c.Settings = Settings{}.withDefaults()
	limits := newLimits()
	for _, t := range []Target{a, b, c} {
		limits.add(t)
	}
	delete(limits, stored)
	want := map[string]limit{"one.example.com": {concurrency: 4, rate: 10}, "two.example.com:8443": {concurrency: 4, rate: 100}, "": {concurrency: 32, rate: 200}}
	if !maps.Equal(limits, want) {
		t.Errorf("limits %v, want %v", limits, want)
	}
}

func TestALaneKeepsItsConcurrencyAndOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLanes(t.Context(), func(string) limit { return limit{concurrency: 2, rate: rate.Inf} })
		var mu sync.Mutex
		running, most := 0, 0
		var order []string
		add := func(name string, end time.Time, mustStaple bool) {
			l.submit("host", job{end: end, first: mustStaple, run: func() {
				mu.Lock()
				running++
				most = max(most, running)
				order = append(order, name)
				mu.Unlock()
				clocktest.Take(t.Context(), time.Second)
				mu.Lock()
				running--
				mu.Unlock()
			}})
		}
		add("first", time.Time{}, false)
		add("first", time.Time{}, false)
		synctest.Wait() // both workers are at it; the rest queues
		add("late", noon.Add(2*time.Hour), false)
		add("soon", noon.Add(time.Hour), false)
		add("none", time.Time{}, false)
		add("soon, must", noon.Add(time.Hour), true)
		add("none, must", time.Time{}, true)
		l.wait()
		want := "first first none, must soon, must none soon late"
		// Two at a time: pairs may begin in either order.
		for i := 2; i+1 < len(order); i += 2 {
			pair := strings.Split(strings.ReplaceAll(want, ", ", "_"), " ")[i : i+2]
			got := []string{strings.ReplaceAll(order[i], ", ", "_"), strings.ReplaceAll(order[i+1], ", ", "_")}
			slices.Sort(pair)
			slices.Sort(got)
			if !slices.Equal(pair, got) {
				t.Errorf("order %q, want %q", order, want)
			}
		}
		if most != 2 || len(order) != 7 {
			t.Errorf("%d at a time, %d in all", most, len(order))
		}
	})
}

func TestALaneKeepsItsRate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLanes(t.Context(), func(host string) limit { return limit{concurrency: 50, rate: 5} })
		start := time.Now()
		for range 21 {
			l.submit("host", job{run: func() {}})
		}
		l.submit("other", job{run: func() {
			if waited := time.Since(start); waited > 0 {
				t.Errorf("another host waited %v", waited)
			}
		}})
		l.wait()
		if took := time.Since(start).Round(100 * time.Millisecond); took != 4*time.Second {
			t.Errorf("21 jobs at 5 a second took %v, want 4s", took)
		}
	})
}

func TestLanesEndWithTheirContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		l := newLanes(ctx, func(string) limit { return limit{concurrency: 1, rate: 1} })
		ran := 0
		for range 100 {
			l.submit("host", job{run: func() {
				if ran++; ran == 3 {
					cancel()
				}
			}})
		}
		l.wait()
		l.submit("host", job{run: func() { t.Error("a job ran after the end") }})
		l.wait()
		if ran != 3 {
			t.Errorf("%d jobs ran, want 3", ran)
		}
	})
}

func TestIdleLanesAreForgotten(t *testing.T) {
	l := newLanes(t.Context(), func(string) limit { return limit{concurrency: 1, rate: rate.Inf} })
	for i := range 3 * maxIdleLanes {
		l.submit(strings.Repeat("x", i), job{run: func() {}})
		l.wait()
	}
	if n := len(l.lanes); n > maxIdleLanes {
		t.Errorf("%d lanes with nothing to do", n)
	}
}

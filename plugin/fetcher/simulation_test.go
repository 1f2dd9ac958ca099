package fetcher

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/crypto/ocsp"

	"github.com/consul-ocsp/consul-ocsp/plugin/responder"
	"github.com/consul-ocsp/consul-ocsp/plugin/testca"
)

// TestNoResponseEndsWhileThereIsAWayToAFreshOne is ten days with a CA that signs
// in advance, for four days, and renews two days before the end; with an outage
// of a day and a half, answers from an outdated cache, and a restart each day.
func TestNoResponseEndsWhileThereIsAWayToAFreshOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const day = 24 * time.Hour
		s := newScene(t)
		start := time.Now()
		period := func(at time.Time) time.Time { return at.Truncate(2 * day) }
		var targets []Target
		for i := range 6 {
			target := s.target(fmt.Sprintf("c%d", i))
			cache := map[time.Time]*responder.Answer{}
			s.answer(target, func(r responder.Request) (*responder.Answer, error) {
				now := time.Now()
				if past := now.Sub(start); past > 3*day && past < 3*day+12*time.Hour || past > 5*day && past < 5*day+36*time.Hour {
					return nil, &responder.Failure{Reason: responder.Timeout, URL: r.URL, Requests: 1}
				}
				this := period(now)
				if rand.IntN(2) == 0 { // an outdated cache
					this = this.Add(-2 * day)
				}
				if cache[this] == nil {
					cache[this] = s.respond(testca.Answer{Status: ocsp.Good, Serial: target.Leaf.SerialNumber, ThisUpdate: this, NextUpdate: this.Add(4*day + time.Hour)})
				}
				return cache[this], nil
			})
			targets = append(targets, target)
		}
		for restart := range 10 {
			s.f = New(s.f.c)
			s.f.ask = s.exchange
			s.f.Set(targets)
			stop := s.run(s.f)
			time.Sleep(time.Minute)
			for range 23 {
				synctest.Wait()
				for _, target := range targets {
					if st, ok := s.memory.stored(target.ID); !ok || !st.Meta.Until.After(time.Now()) {
						t.Fatalf("day %d: %s has no valid response: %+v", restart, target.Name, s.state(target.ID))
					}
				}
				time.Sleep(time.Hour)
			}
			stop()
			s.repeated += s.f.Counts().Repeated
			time.Sleep(time.Hour - time.Minute)
		}
		// max_delay asks each hour; jitter, restarts and the end of responses
		// add a little, and what is outdated is asked for again.
		if each := (s.requests() - int(s.repeated)) / len(targets); each < 200 || each > 320 {
			t.Errorf("%d requests for each certificate in 240 hours", each)
		}
		t.Logf("%d requests for %d certificates", s.requests(), len(targets))
	})
}

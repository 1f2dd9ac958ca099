package fetcher

import (
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/crypto/ocsp"

	"github.com/consul-ocsp/consul-ocsp/plugin/clocktest"
	"github.com/consul-ocsp/consul-ocsp/plugin/testca"
)

// A prompt fetcher asks for what lives in the store, hands that on meanwhile,
// and nothing older; a target that is gone is not asked for again.
func TestPrompt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScene(t)
		a, now := s.target("www"), time.Now()
		old := s.store(a, testca.Answer{Status: ocsp.Good, ThisUpdate: now.Add(-time.Hour), NextUpdate: now.Add(time.Hour)})
		c := s.f.c
		c.Prompt = true
		f := New(c)
		f.ask = s.f.ask
		f.Set([]Target{a})
		s.run(f)
		clocktest.Pass(2 * time.Second)
		if s.requests() != 1 {
			t.Errorf("%d requests for a response that lives; want one at once", s.requests())
		}
		last, _ := s.memory.stored(a.ID)
		published := s.memory.publications()
		if n := len(published); n == 0 || !published[n-1].Meta.ThisUpdate.Equal(last.Meta.ThisUpdate) || !last.Meta.Supersedes(old.Meta) {
			t.Errorf("published %v, stored %v", published, last.Meta)
		}
		f.Set(nil)
		clocktest.Pass(20 * time.Minute)
		if s.requests() != 1 {
			t.Errorf("%d requests; the target is gone", s.requests())
		}

		// The responder has nothing newer than what the store got past this
		// fetcher: it is handed on all the same.
		got := len(s.memory.publications())
		s.fail(a, "http")
		f.Set([]Target{a})
		clocktest.Pass(2 * time.Second)
		if n := len(s.memory.publications()); n != got+1 {
			t.Errorf("%d publications of what the store has; want one", n-got)
		}
	})
}

package fetcher

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/crypto/ocsp"

	"github.com/consul-ocsp/consul-ocsp/plugin/clocktest"
	"github.com/consul-ocsp/consul-ocsp/plugin/record"
	"github.com/consul-ocsp/consul-ocsp/plugin/responder"
	"github.com/consul-ocsp/consul-ocsp/plugin/testca"
)

// force has these fetched and is what came of it, by name.
func (s *scene) force(targets ...Target) map[string]Result {
	s.t.Helper()
	ids := []string{"no target has this one"}
	for _, t := range targets {
		ids = append(ids, t.ID, t.ID)
	}
	var results []Result
	s.f.Force(s.t.Context(), ids, func(r Result) { results = append(results, r) })
	if len(results) != len(targets) {
		s.t.Fatalf("%d answers for %d certificates", len(results), len(targets))
	}
	return byName(results)
}

// What nobody would ask for now is asked for, past the schedule, and the answer
// comes when the response is published.
func TestForce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScene(t)
		now := time.Now()
		www, same, plain, off := s.target("www"), s.target("same"), s.issue("plain", testca.IssueOptions{}), s.target("off")
		off.Settings.Off = true
		for _, a := range []Target{www, same} {
			s.store(a, testca.Answer{Status: ocsp.Good, ThisUpdate: now, NextUpdate: now.Add(48 * time.Hour)})
		}
		held, _ := s.memory.stored(same.ID)
		s.answer(same, func(responder.Request) (*responder.Answer, error) { return body(held.DER), nil })
		s.f.Set([]Target{www, same, plain, off})
		s.run(s.f)
		clocktest.Pass(10 * time.Second)
		if s.requests() != 0 {
			t.Fatalf("%d requests for what is fresh", s.requests())
		}
		got := s.force(www, same, plain, off)
		for name, want := range map[string]string{"www": Fetched, "same": Unchanged, "plain": NotApplicable, "off": Off} {
			if r := got[name]; r.Outcome != want {
				t.Errorf("%s: %s %s, want %s", name, r.Outcome, r.Reason, want)
			}
		}
		latest, _ := s.memory.stored(www.ID)
		if !slices.ContainsFunc(s.memory.publications(), func(st record.Staple) bool { return st.Meta.SHA256 == latest.Meta.SHA256 }) ||
			!latest.Meta.ThisUpdate.After(now) || got["www"].Staple.Meta.SHA256 != latest.Meta.SHA256 {
			t.Error("the answer came before the response was published")
		}
		if s.requests() != 2 {
			t.Errorf("%d requests, want one for each", s.requests())
		}
	})
}

// A failure that was forced is one of the certificate's own: it is reported,
// and over with the next response.
func TestForceFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScene(t)
		now := time.Now()
		a := s.target("www")
		s.store(a, testca.Answer{Status: ocsp.Good, ThisUpdate: now, NextUpdate: now.Add(48 * time.Hour)})
		s.f.Set([]Target{a})
		s.run(s.f)
		s.settle()
		s.fail(a, responder.Refused)
		if r := s.force(a)["www"]; r.Outcome != Failed || r.Reason != "refused" || !r.Kept {
			t.Errorf("%+v", r)
		}
		synctest.Wait()
		if trouble, ok := s.memory.trouble(a.ID); !ok || trouble.Reason != "refused" {
			t.Errorf("trouble %+v", trouble)
		}
		s.answer(a, nil)
		clocktest.Pass(time.Hour) // its own retry
		if trouble, ok := s.memory.trouble(a.ID); ok {
			t.Errorf("still in trouble: %+v", trouble)
		}
	})
}

// A host that asked for a pause is asked again, once if it still does.
func TestForceAsksAHostThatPauses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScene(t)
		targets := []Target{s.target("a"), s.target("b"), s.target("c"), s.target("d")}
		pauses := func(r responder.Request) (*responder.Answer, error) {
			return nil, &responder.Failure{Reason: responder.HTTPStatus, HTTPStatus: http.StatusServiceUnavailable, URL: r.URL, Requests: 1, RetryAfter: time.Hour}
		}
		for _, a := range targets {
			s.answer(a, pauses)
		}
		s.f.Set(targets)
		s.run(s.f)
		clocktest.Pass(time.Minute)
		before := s.requests()
		for name, r := range s.force(targets...) {
			if r.Outcome != Failed || r.Reason != "http-status" {
				t.Errorf("%s: %s %s", name, r.Outcome, r.Reason)
			}
		}
		if n := s.requests() - before; n != 1 {
			t.Errorf("%d requests to a host that pauses; want one", n)
		}
		for _, a := range targets {
			s.answer(a, nil)
		}
		for name, r := range s.force(targets...) {
			if r.Outcome != Fetched {
				t.Errorf("%s: %s %s", name, r.Outcome, r.Reason)
			}
		}
	})
}

// An exchange that was under way when it was forced is not the answer: what it
// asked was asked before.
func TestForceWhileBusy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScene(t)
		a := s.target("www")
		s.answer(a, func(responder.Request) (*responder.Answer, error) {
			clocktest.Take(t.Context(), 5*time.Second)
			return s.good(a.Leaf.SerialNumber, time.Hour), nil
		})
		s.f.Set([]Target{a})
		s.run(s.f)
		s.settle()
		if r := s.force(a)["www"]; r.Outcome != Fetched || s.requests() != 2 {
			t.Errorf("%s after %d requests; want two", r.Outcome, s.requests())
		}
	})
}

// What could not be published was not fetched for anybody else.
func TestForceUnpublished(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScene(t)
		s.memory.publishErr = func([]record.Staple) error { return errors.New("no rights") }
		a := s.target("www")
		s.f.Set([]Target{a})
		s.run(s.f)
		clocktest.Pass(time.Minute)
		if r := s.force(a)["www"]; r.Outcome != Failed || r.Reason != Publish || !strings.Contains(r.Err.Error(), "no rights") {
			t.Errorf("%+v", r)
		}
	})
}

// Whoever waits is let go with the context, and told of a certificate that is
// wanted no more.
func TestForceEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScene(t)
		a := s.target("www")
		s.f.Set([]Target{a}) // nothing runs
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		s.f.Force(ctx, []string{a.ID}, func(r Result) { t.Errorf("answered: %+v", r) })
		if ctx.Err() == nil {
			t.Error("it did not wait")
		}
		time.AfterFunc(time.Second, func() { s.f.Set(nil) })
		if r := s.force(a)["www"]; r.Outcome != NotApplicable {
			t.Errorf("%+v", r)
		}
	})
}

package fetcher

import (
	"context"
	"errors"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/crypto/ocsp"

	"github.com/consul-ocsp/consul-ocsp/plugin/record"
	"github.com/consul-ocsp/consul-ocsp/plugin/responder"
	"github.com/consul-ocsp/consul-ocsp/plugin/testca"
)

func TestAPassFetchesWhatIsDue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScene(t)
		now := time.Now()
		fresh, due, none, dead := s.target("fresh"), s.target("due"), s.target("none"), s.target("dead")
		plain, off := s.issue("plain", testca.IssueOptions{}), s.target("off")
		over := s.issue("over", testca.IssueOptions{Responders: []string{"http://ocsp.example.com"}, NotAfter: now.Add(-time.Hour)})
		off.Settings.Off = true
		s.store(fresh, testca.Answer{ThisUpdate: now, NextUpdate: now.Add(time.Hour)})
		s.store(due, testca.Answer{ThisUpdate: now.Add(-45 * time.Minute), NextUpdate: now.Add(15 * time.Minute)})
		s.store(dead, testca.Answer{ThisUpdate: now.Add(-45 * time.Minute), NextUpdate: now.Add(15 * time.Minute)})
		s.fail(dead, responder.Refused)
		s.f.Set([]Target{none, due, fresh, dead, plain, off, over})
		results := s.f.Pass(t.Context(), PassOptions{})
		want := "dead:failed:refused due:fetched: fresh:fresh: none:fetched: off:off: " +
			"over:not-applicable:certificate-expired plain:not-applicable:no-responder "
		if got := outcomes(results); got != want {
			t.Errorf("results\n%s, want\n%s", got, want)
		}
		by := byName(results)
		if !by["dead"].Kept || by["dead"].Err == nil || by["dead"].Staple == nil {
			t.Errorf("%+v, want what was held to be kept", by["dead"])
		}
		if by["plain"].Err != nil || !by["plain"].Next.IsZero() || by["due"].Next.IsZero() {
			t.Errorf("%+v", by["plain"])
		}
		if got := len(s.memory.publications()); got != 2 {
			t.Errorf("%d published when the pass ended, want 2", got)
		}
		if trouble, _ := s.memory.trouble(dead.ID); trouble.Reason != "refused" {
			t.Errorf("trouble %+v", trouble)
		}
		if s.requests() != 3 {
			t.Errorf("%d requests, want 3", s.requests())
		}
	})
}

func TestForceFetchesAllAndIgnoresRetryAfter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScene(t)
		now := time.Now()
		a, busy := s.target("a"), s.target("busy")
		s.store(a, testca.Answer{ThisUpdate: now.Add(-time.Minute), NextUpdate: now.Add(time.Hour)})
		s.answer(busy, func(r responder.Request) (*responder.Answer, error) {
			return nil, &responder.Failure{Reason: responder.HTTPStatus, HTTPStatus: 503, RetryAfter: time.Hour, URL: r.URL}
		})
		s.f.Set([]Target{a, busy})
		for range 2 {
			results := s.f.Pass(t.Context(), PassOptions{Force: true})
			if got := byName(results)["busy"]; got.Reason != "http-status" || got.Next.Before(now.Add(30*time.Minute)) {
				t.Errorf("%+v, want the pause that was asked for", got)
			}
		}
		if s.requests() != 4 || time.Since(now) > time.Minute {
			t.Errorf("%d requests in %v, want 4 without waiting", s.requests(), time.Since(now))
		}
	})
}

func TestADryRunChangesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScene(t)
		a, dead := s.target("a"), s.target("dead")
		s.fail(dead, responder.DNS)
		s.f.Set([]Target{a, dead})
		results := s.f.Pass(t.Context(), PassOptions{DryRun: true})
		if got := outcomes(results); got != "a:fetched: dead:failed:dns " {
			t.Errorf("results %s", got)
		}
		if r := byName(results)["a"]; r.Staple == nil || r.Staple.Meta.Status != "good" {
			t.Errorf("%+v, want the response to look at", r)
		}
		if len(s.memory.staples)+len(s.memory.published)+s.memory.told != 0 {
			t.Errorf("stored %d, published %d, told %d", len(s.memory.staples), len(s.memory.published), s.memory.told)
		}
		// What was only tried is still to be fetched.
		if got := outcomes(s.f.Pass(t.Context(), PassOptions{})); got != "a:fetched: dead:failed:dns " || len(s.memory.publications()) != 1 {
			t.Errorf("then %s, %d published", got, len(s.memory.publications()))
		}
	})
}

func TestOnlyChoosesByAnyOfACertificatesNames(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScene(t)
		a, b := s.target("a"), s.target("b")
		alias, announced := a, a
		alias.Name, alias.Job = "alias", "other"
		announced.Announced, announced.Name = true, "announced"
		s.f.Set([]Target{announced, a, alias, b})
		results := s.f.Pass(t.Context(), PassOptions{Only: func(t Target) bool { return t.Job == "other" }})
		if got := outcomes(results); got != "alias:fetched: " || s.requests() != 1 {
			t.Errorf("results %s after %d requests", got, s.requests())
		}
		if st, _ := s.memory.stored(a.ID); st.Meta.Name != "a" {
			t.Errorf("stored under the name %q; the certificate's own files count before announcements", st.Meta.Name)
		}
	})
}

func TestAPassEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScene(t)
		fast, slow := s.target("fast"), s.target("slow", "http://slow.example.com")
		s.f.ask = func(ctx context.Context, r responder.Request) (*responder.Answer, error) {
			if r.URL == "http://slow.example.com" {
				<-ctx.Done()
				return nil, &responder.Failure{Reason: responder.Timeout, URL: r.URL, Err: ctx.Err()}
			}
			return s.exchange(ctx, r)
		}
		s.f.Set([]Target{slow, fast})
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		results := s.f.Pass(ctx, PassOptions{})
		if got := outcomes(results); got != "fast:fetched: slow:failed:timeout " {
			t.Errorf("results %s", got)
		}
		if ctx.Err() != nil || len(s.memory.publications()) != 1 {
			t.Errorf("%d published, context %v", len(s.memory.publications()), ctx.Err())
		}
	})
}

func TestWhatCouldNotBePublishedHasFailed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScene(t)
		a := s.target("a")
		down := errors.New("no cluster leader")
		s.memory.publishErr = func([]record.Staple) error { return down }
		s.f.Set([]Target{a})
		results := s.f.Pass(t.Context(), PassOptions{})
		if got := outcomes(results); got != "a:failed:publish " || !errors.Is(results[0].Err, down) {
			t.Errorf("results %s: %v", got, results[0].Err)
		}
		if _, ok := s.memory.stored(a.ID); !ok {
			t.Error("it was not stored either")
		}
	})
}

func TestEachURLIsTriedInOrder(t *testing.T) {
	const first, second = "http://first.example.com", "http://second.example.com"
	for _, c := range []struct {
		name, want string
		answer     func(s *scene, t Target, r responder.Request) (*responder.Answer, error)
		asked      int
	}{
		{"first answers", "a:fetched: ", func(s *scene, t Target, r responder.Request) (*responder.Answer, error) {
			return s.good(t.Leaf.SerialNumber, time.Hour), nil
		}, 1},
		{"first is dead", "a:fetched: ", func(s *scene, t Target, r responder.Request) (*responder.Answer, error) {
			if r.URL == first {
				return nil, &responder.Failure{Reason: responder.Refused, URL: r.URL}
			}
			return s.good(t.Leaf.SerialNumber, time.Hour), nil
		}, 2},
		{"first says unauthorized", "a:fetched: ", func(s *scene, t Target, r responder.Request) (*responder.Answer, error) {
			if r.URL == first {
				return body(testca.ErrorResponse(ocsp.Unauthorized)), nil
			}
			return s.good(t.Leaf.SerialNumber, time.Hour), nil
		}, 2},
		{"both fail", "a:failed:try-later ", func(s *scene, t Target, r responder.Request) (*responder.Answer, error) {
			if r.URL == first {
				return nil, &responder.Failure{Reason: responder.DNS, URL: r.URL}
			}
			return body(testca.ErrorResponse(ocsp.TryLater)), nil
		}, 2},
		{"unknown is asked for again by POST", "a:fetched: ", func(s *scene, t Target, r responder.Request) (*responder.Answer, error) {
			if r.Method == http.MethodPost {
				return s.good(t.Leaf.SerialNumber, time.Hour), nil
			}
			return s.respond(testca.Answer{Status: ocsp.Unknown, Serial: t.Leaf.SerialNumber, NextUpdate: time.Now().Add(time.Hour)}), nil
		}, 2},
		{"unknown everywhere", "a:failed:unknown ", func(s *scene, t Target, r responder.Request) (*responder.Answer, error) {
			return s.respond(testca.Answer{Status: ocsp.Unknown, Serial: t.Leaf.SerialNumber, NextUpdate: time.Now().Add(time.Hour)}), nil
		}, 4},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newScene(t)
			a := s.target("a", first, second)
			s.answer(a, func(r responder.Request) (*responder.Answer, error) { return c.answer(s, a, r) })
			s.f.Set([]Target{a})
			if got := outcomes(s.f.Pass(t.Context(), PassOptions{})); got != c.want || s.requests() != c.asked {
				t.Errorf("%s after %v, want %s after %d", got, s.asked, c.want, c.asked)
			}
		})
	}
}

func TestWhichResponseStays(t *testing.T) {
	now := time.Now()
	at := func(status int, this time.Time) testca.Answer {
		return testca.Answer{Status: status, ThisUpdate: this, NextUpdate: this.Add(2 * time.Hour), RevokedAt: now.Add(-3 * time.Hour)}
	}
	for _, c := range []struct {
		name      string
		held, got testca.Answer
		outcome   string
		reason    string
		published int
	}{
		{"a newer one", at(ocsp.Good, now.Add(-time.Hour)), at(ocsp.Good, now), Fetched, "", 1},
		{"the same time", at(ocsp.Good, now), at(ocsp.Good, now), Unchanged, "", 0},
		{"an older one", at(ocsp.Good, now), at(ocsp.Good, now.Add(-time.Hour)), Unchanged, Older, 0},
		{"an older revocation", at(ocsp.Good, now), at(ocsp.Revoked, now.Add(-time.Hour)), Unchanged, Older, 0},
		{"revoked at the same time", at(ocsp.Good, now), at(ocsp.Revoked, now), Fetched, "", 1},
		{"good again at the same time", at(ocsp.Revoked, now), at(ocsp.Good, now), Unchanged, "", 0},
		{"revoked", at(ocsp.Good, now.Add(-time.Hour)), at(ocsp.Revoked, now), Fetched, "", 1},
		{"no longer on hold", at(ocsp.Revoked, now.Add(-time.Hour)), at(ocsp.Good, now), Fetched, "", 1},
		{"unknown", at(ocsp.Good, now.Add(-time.Hour)), at(ocsp.Unknown, now), Failed, Unknown, 0},
		{"expired", at(ocsp.Good, now.Add(-time.Hour)), at(ocsp.Good, now.Add(-3*time.Hour)), Failed, "expired", 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newScene(t)
			a := s.target("a")
			held := s.store(a, c.held)
			s.answer(a, func(responder.Request) (*responder.Answer, error) {
				c.got.Serial = a.Leaf.SerialNumber
				return s.respond(c.got), nil
			})
			s.f.Set([]Target{a})
			r := s.f.Pass(t.Context(), PassOptions{Force: true})[0]
			if r.Outcome != c.outcome || r.Reason != c.reason || len(s.memory.publications()) != c.published {
				t.Errorf("%s %q, %d published; want %s %q, %d (%v)", r.Outcome, r.Reason, len(s.memory.publications()), c.outcome, c.reason, c.published, r.Err)
			}
			st, _ := s.memory.stored(a.ID)
			if changed := st.Meta.SHA256 != held.Meta.SHA256; changed != (c.outcome == Fetched) {
				t.Errorf("stored response changed: %v", changed)
			}
			if c.outcome == Failed && !r.Kept {
				t.Error("what was held is not kept")
			}
		})
	}
}

func TestATargetWithoutIssuerFailsByName(t *testing.T) {
	s := newScene(t)
	a := s.target("a")
	a.Issuer = nil
	s.f.Set([]Target{a, {ID: a.ID}})
	if got := outcomes(s.f.Pass(t.Context(), PassOptions{})); got != "a:failed:issuer-unknown " || s.requests() != 0 {
		t.Errorf("results %s", got)
	}
}

package fetcher

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/go-hclog"
	"golang.org/x/crypto/ocsp"

	"github.com/consul-ocsp/consul-ocsp/plugin/clocktest"
	"github.com/consul-ocsp/consul-ocsp/plugin/logtest"
	"github.com/consul-ocsp/consul-ocsp/plugin/record"
	"github.com/consul-ocsp/consul-ocsp/plugin/responder"
	"github.com/consul-ocsp/consul-ocsp/plugin/testca"
)

func TestResponsesAreRefreshedBeforeTheyEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScene(t)
		a := s.target("www")
		s.f.Set([]Target{a})
		stop := s.run(s.f)
		start := time.Now()
		for time.Since(start) < 6*time.Hour {
			clocktest.Pass(10 * time.Second)
			st, ok := s.memory.stored(a.ID)
			if !ok || !st.Meta.Until.After(time.Now()) {
				t.Fatalf("after %v nothing valid is stored", time.Since(start))
			}
		}
		stop()
		// An hour's validity is refreshed each half hour, at most a tenth of
		// 25 minutes earlier.
		if n := s.requests(); n < 12 || n > 14 {
			t.Errorf("%d requests in 6 hours, want 12 to 14", n)
		}
		if got := len(s.memory.publications()); got != s.requests() {
			t.Errorf("%d published, %d requested", got, s.requests())
		}
	})
}

func TestTargetsAtOnceArePublishedTogether(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScene(t)
		var targets []Target
		for i := range 20 {
			targets = append(targets, s.target(fmt.Sprintf("c%d", i)))
		}
		s.f.Set(targets)
		s.run(s.f)
		s.settle()
		if len(s.memory.batches) != 1 || len(s.memory.batches[0]) != 20 {
			t.Errorf("batches %v, want one with all", s.memory.batches)
		}
	})
}

func TestARestartFetchesNothingFresh(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScene(t)
		now := time.Now()
		young, old, ended := s.target("young"), s.target("old"), s.target("ended")
		s.store(young, testca.Answer{ThisUpdate: now.Add(-time.Minute), NextUpdate: now.Add(time.Hour)})
		s.store(old, testca.Answer{ThisUpdate: now.Add(-5 * 24 * time.Hour), NextUpdate: now.Add(2 * 24 * time.Hour)})
		s.store(ended, testca.Answer{ThisUpdate: now.Add(-2 * time.Hour), NextUpdate: now.Add(-time.Hour)})
		s.f.c.Rand = func() float64 { return 0.5 }
		s.f.Set([]Target{young, old, ended})
		s.run(s.f)
		s.settle()
		if got := s.requests(); got != 1 {
			t.Errorf("%d requests at start, want one for what has ended", got)
		}
		for name, c := range map[string]struct {
			id, outcome string
		}{"young": {young.ID, Fresh}, "old": {old.ID, Fresh}, "ended": {ended.ID, Fetched}} {
			if got := s.state(c.id); got.Outcome != c.outcome || !got.Next.After(time.Now()) || got.Status != "good" {
				t.Errorf("%s: %+v", name, got)
			}
		}
		// Where they are published may have been emptied while nobody ran.
		s.memory.mu.Lock()
		handed := slices.Concat(s.memory.batches...)
		s.memory.mu.Unlock()
		if !slices.Contains(handed, young.ID) || !slices.Contains(handed, old.ID) {
			t.Errorf("of what is stored and fresh, %v was handed to the publisher", handed)
		}
		clocktest.Pass(time.Hour)
		if got := s.requests(); got < 3 {
			t.Errorf("%d requests after an hour", got)
		}
	})
}

func TestStoredResponsesAreNotBelieved(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScene(t)
		now := time.Now()
		fresh := testca.Answer{ThisUpdate: now, NextUpdate: now.Add(time.Hour)}
		forged, foreign, lying, ahead := s.target("forged"), s.target("foreign"), s.target("lying"), s.target("ahead")
		st := s.store(forged, fresh)
		st.DER[len(st.DER)-1] ^= 1
		st.Meta.SHA256, st.Meta.ThisUpdate = record.Checksum(st.DER), now.Add(24*time.Hour)
		s.memory.staples[forged.ID] = st

		st = s.store(lying, fresh)
		st.Meta.ThisUpdate = now.Add(1000 * time.Hour) // would never be superseded
		s.memory.staples[lying.ID] = st

		st = s.store(ahead, fresh)
		st.ID = foreign.ID
		s.memory.staples[foreign.ID] = st
		delete(s.memory.staples, ahead.ID)
		// The CA's own word, from when our clock was ahead: it is not rolled back.
		kept := s.store(ahead, testca.Answer{ThisUpdate: now.Add(time.Hour), NextUpdate: now.Add(2 * time.Hour)})

		s.f.Set([]Target{forged, foreign, lying, ahead})
		s.run(s.f)
		s.settle()
		for _, target := range []Target{forged, foreign, lying} {
			st, _ := s.memory.stored(target.ID)
			if _, err := Learn(st, target, time.Now()); err != nil {
				t.Errorf("%s: %v", target.Name, err)
			}
		}
		if s.memory.replaced != 3 {
			t.Errorf("%d replaced, want 3", s.memory.replaced)
		}
		if st, _ := s.memory.stored(ahead.ID); st.Meta.SHA256 != kept.Meta.SHA256 {
			t.Error("a newer response was replaced by an older one")
		}
		if len(s.memory.publications()) != 3 {
			t.Errorf("%d published, want 3", len(s.memory.publications()))
		}
	})
}

func TestFailuresBackOffAreToldAndCleared(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScene(t)
		a := s.target("www")
		s.fail(a, responder.Refused)
		s.f.Set([]Target{a})
		s.run(s.f)
		s.settle()
		trouble, ok := s.memory.trouble(a.ID)
		if !ok || trouble.Reason != "refused" || trouble.Failures != 1 || trouble.Name != "www" || trouble.Job != "edge" {
			t.Fatalf("trouble %+v", trouble)
		}
		since := trouble.Since
		clocktest.Pass(12 * time.Hour)
		// 1, 2, 4, ... 32 minutes, then an hour, all times 0.5 to 1 or 1.5.
		if n := s.requests(); n < 12 || n > 32 {
			t.Errorf("%d requests in 12 hours", n)
		}
		trouble, _ = s.memory.trouble(a.ID)
		if !trouble.Since.Equal(since) || trouble.Failures < 10 {
			t.Errorf("trouble %+v, want one that began at %v", trouble, since)
		}
		told := s.memory.told
		s.fail(a, responder.Timeout)
		clocktest.Pass(time.Hour + time.Minute)
		if trouble, _ = s.memory.trouble(a.ID); trouble.Reason != "timeout" || s.memory.told == told {
			t.Errorf("trouble %+v, want the new reason", trouble)
		}
		if got := s.state(a.ID); got.Outcome != Failed || got.Reason != "timeout" || got.Error == "" || !got.Since.Equal(since) {
			t.Errorf("state %+v", got)
		}
		s.answer(a, nil)
		clocktest.Pass(time.Hour + time.Minute)
		if _, ok := s.memory.trouble(a.ID); ok {
			t.Error("the trouble was not cleared")
		}
		if got := s.state(a.ID); got.Outcome == Failed || got.Failures != 0 || got.Reason != "" || got.Error != "" {
			t.Errorf("state %+v", got)
		}
		if c := s.f.Counts(); c.Failures["refused"] < 10 || c.Failures["timeout"] < 1 || c.Turns[Fetched] == 0 || c.Published == 0 {
			t.Errorf("counts %+v", c)
		}
	})
}

func TestTroubleThatGoesOnIsToldNowAndThen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScene(t)
		a := s.target("www")
		a.Settings = Settings{MinDelay: 10 * time.Second, MaxDelay: 20 * time.Second}
		s.fail(a, responder.Reset)
		s.f.Set([]Target{a})
		s.run(s.f)
		clocktest.Pass(time.Hour)
		if s.memory.told < 4 || s.memory.told > 5 || s.requests() < 100 {
			t.Errorf("told %d times of %d failures in an hour", s.memory.told, s.requests())
		}
	})
}

func TestANewLeaderClearsTheTroubleOfTheOneBefore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScene(t)
		a := s.target("www")
		s.memory.troubles[a.ID] = record.Trouble{Reason: "timeout"}
		s.f.Set([]Target{a})
		s.run(s.f)
		s.settle()
		if _, ok := s.memory.trouble(a.ID); ok {
			t.Error("the trouble was not cleared")
		}
	})
}

func TestAnOutageTakesNothingAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScene(t)
		a := s.target("www")
		long := func(responder.Request) (*responder.Answer, error) {
			return s.good(a.Leaf.SerialNumber, 4*time.Hour), nil
		}
		s.answer(a, long)
		s.f.Set([]Target{a})
		s.run(s.f)
		s.settle()
		before, _ := s.memory.stored(a.ID)
		s.fail(a, responder.Timeout)
		clocktest.Pass(3*time.Hour + 50*time.Minute)
		if after, _ := s.memory.stored(a.ID); after.Meta.SHA256 != before.Meta.SHA256 {
			t.Error("the held response went away")
		}
		// Minutes before the end it is asked for more often than each hour.
		s.answer(a, long)
		clocktest.Pass(9 * time.Minute)
		if after, _ := s.memory.stored(a.ID); after.Meta.SHA256 == before.Meta.SHA256 {
			t.Errorf("not refreshed in time: %+v", s.state(a.ID))
		}
	})
}

func TestACertificateJustIssuedIsAskedForOften(t *testing.T) {
	for reason, answer := range map[string]func(*scene, Target) *responder.Answer{
		"unauthorized": func(*scene, Target) *responder.Answer { return body(testca.ErrorResponse(ocsp.Unauthorized)) },
		"unknown": func(s *scene, t Target) *responder.Answer {
			return s.respond(testca.Answer{Status: ocsp.Unknown, Serial: t.Leaf.SerialNumber, NextUpdate: time.Now().Add(time.Hour)})
		},
	} {
		t.Run(reason, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newScene(t)
				a := s.issue("www", testca.IssueOptions{Responders: []string{"http://ocsp.example.com"}, NotBefore: time.Now()})
				s.answer(a, func(responder.Request) (*responder.Answer, error) { return answer(s, a), nil })
				s.f.Set([]Target{a})
				s.run(s.f)
				clocktest.Pass(15 * time.Minute)
				if n := s.requests(); n < 9 {
					t.Errorf("%d requests in the first 15 minutes", n)
				}
				if got := s.state(a.ID); got.Reason != reason || got.Status != "" {
					t.Errorf("state %+v", got)
				}
				s.answer(a, nil)
				clocktest.Pass(2 * time.Minute)
				if got := s.state(a.ID); got.Outcome != Fetched {
					t.Errorf("state %+v", got)
				}
			})
		})
	}
}

// What is normal at first is told at once, and warned of when it should be over;
// asked for often it is for longer, since many CAs date notBefore back.
func TestACertificateThatStaysUnknownIsWarnedOf(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, logged := newScene(t), &logtest.Text{}
		s.f.c.Logger = hclog.New(&hclog.LoggerOptions{Output: logged, Level: hclog.Info, DisableTime: true})
		// Dated back by an hour, as many CAs do.
		a := s.issue("www", testca.IssueOptions{Responders: []string{"http://ocsp.example.com"}, NotBefore: time.Now().Add(-time.Hour)})
		s.answer(a, func(responder.Request) (*responder.Answer, error) {
			return body(testca.ErrorResponse(ocsp.Unauthorized)), nil
		})
		s.f.Set([]Target{a})
		s.run(s.f)
		clocktest.Pass(14 * time.Minute)
		n := s.requests()
		if text := logged.Take(); n < 9 || strings.Contains(text, "[WARN]") || strings.Count(text, "reason=unauthorized") != 1 {
			t.Errorf("%d requests in the first minutes, and %s", n, text)
		}
		clocktest.Pass(6 * time.Minute)
		if text := logged.Take(); strings.Count(text, "[WARN]") != 1 || !strings.Contains(text, "reason=unauthorized") {
			t.Errorf("after 20 minutes: %s", text)
		}
		if got := s.requests() - n; got < 3 {
			t.Errorf("asked only %d times in the 6 minutes after", got)
		}
		clocktest.Pass(2 * time.Hour)
		n = s.requests()
		clocktest.Pass(2 * time.Hour)
		if got := s.requests() - n; got > 8 {
			t.Errorf("still asked %d times in two hours", got)
		}
	})
}

func TestPublishingIsTriedAgainUntilItWorks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScene(t)
		a, b, poison := s.target("a"), s.target("b"), s.target("poison")
		down := true
		s.memory.publishErr = func(list []record.Staple) error {
			if down {
				return errors.New("no cluster leader")
			}
			for _, st := range list {
				if st.ID == poison.ID {
					return errors.New("too large")
				}
			}
			return nil
		}
		s.f.Set([]Target{a, b, poison})
		s.run(s.f)
		clocktest.Pass(5 * time.Minute)
		s.memory.mu.Lock()
		down = false
		s.memory.mu.Unlock()
		clocktest.Pass(3 * time.Minute)
		got := map[string]bool{}
		for _, st := range s.memory.publications() {
			got[st.ID] = true
		}
		if !got[a.ID] || !got[b.ID] || got[poison.ID] {
			t.Errorf("published %v, want all but the one that is refused", got)
		}
	})
}

func TestAFullDiskDoesNotStopPublishing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScene(t)
		a := s.target("www")
		s.memory.storeErr = errDisk
		s.f.Set([]Target{a})
		s.run(s.f)
		s.settle()
		if n := len(s.memory.publications()); n != 1 {
			t.Errorf("%d published", n)
		}
		if got := s.state(a.ID); got.Outcome != Fetched || got.Status != "good" {
			t.Errorf("state %+v", got)
		}
	})
}

// What can't be read may be newer than what a responder says now: it is not
// replaced, and counts again once it can be read.
func TestWhatCantBeReadStays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScene(t)
		now := time.Now()
		a := s.target("www")
		kept := s.store(a, testca.Answer{ThisUpdate: now, NextUpdate: now.Add(time.Hour)})
		s.answer(a, func(responder.Request) (*responder.Answer, error) {
			return s.respond(testca.Answer{Serial: a.Leaf.SerialNumber, ThisUpdate: now.Add(-time.Hour), NextUpdate: now.Add(30 * time.Minute)}), nil
		})
		s.memory.readErr = &fs.PathError{Op: "open", Path: "staples/x", Err: syscall.EMFILE}
		s.f.Set([]Target{a})
		s.run(s.f)
		s.settle()
		s.memory.mu.Lock()
		s.memory.readErr = nil
		s.memory.mu.Unlock()
		if st, _ := s.memory.stored(a.ID); st.Meta.SHA256 != kept.Meta.SHA256 || s.memory.replaced != 0 {
			t.Error("a stored response that could not be read was replaced by an older one")
		}
		clocktest.Pass(time.Hour)
		if got := s.held(a.ID); got == nil || got.Meta.SHA256 != kept.Meta.SHA256 {
			t.Errorf("%+v is held, want what is stored", got)
		}
	})
}

// What could not be stored is kept in memory also where there are so many
// certificates that memory leaves to the store what it has.
func TestWhatIsNotStoredIsKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScene(t)
		now := time.Now()
		a := s.target("www")
		s.store(a, testca.Answer{ThisUpdate: now.Add(-20 * time.Hour), NextUpdate: now.Add(time.Hour)})
		s.memory.storeErr = errDisk
		var as Announcements
		leaf := record.Certificate{Leaf: a.Leaf.Raw, Issuer: a.Issuer.Raw, Job: a.Job, Name: a.Name}
		s.f.Set([]Target{announce(t, &as, leaf, a.Settings)})
		s.f.force([]string{a.ID}, func(Result) {}) // its first turn reads and fetches
		s.run(s.f)
		s.settle()
		if got := s.held(a.ID); got == nil || !got.Meta.ThisUpdate.After(now.Add(-20*time.Hour)) {
			t.Errorf("%+v is held, want what was fetched and could not be stored", got)
		}
	})
}

func TestWhatIsNoTargetAnyMoreIsLeftAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScene(t)
		a, b := s.target("a"), s.target("b")
		s.fail(a, responder.Refused)
		s.f.Set([]Target{a, b})
		s.run(s.f)
		s.settle()
		s.f.Set([]Target{b})
		n := s.requests()
		clocktest.Pass(20 * time.Minute)
		if _, told := s.memory.trouble(a.ID); told || s.requests() != n {
			t.Errorf("trouble of a dropped target: %v; %d requests more", told, s.requests()-n)
		}
		if states := s.f.States(); len(states) != 1 || states[0].ID != b.ID {
			t.Errorf("states %+v", states)
		}
		if _, ok := s.memory.stored(b.ID); !ok {
			t.Error("nothing stored for the other")
		}
	})
}

func TestChangedSettingsCountAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScene(t)
		a, b := s.target("a"), s.target("b")
		s.answer(a, func(r responder.Request) (*responder.Answer, error) {
			if r.URL != "http://other.example.com" {
				return nil, &responder.Failure{Reason: responder.DNS, URL: r.URL}
			}
			return s.good(a.Leaf.SerialNumber, time.Hour), nil
		})
		s.f.Set([]Target{a, b})
		s.run(s.f)
		s.settle()
		n := s.requests()
		a.Settings.Responders = []string{"http://other.example.com"}
		b.Settings.Responders = a.Settings.Responders
		s.f.Set([]Target{a, b})
		clocktest.Pass(2 * time.Second)
		if got := s.state(a.ID); got.Outcome != Fetched {
			t.Errorf("state %+v", got)
		}
		if s.requests() != n+1 {
			t.Errorf("%d requests more, want one for what failed and none for what is fresh", s.requests()-n)
		}
		a.Settings.Off = true
		s.f.Set([]Target{a, b})
		clocktest.Pass(3 * time.Hour)
		if got := s.state(a.ID); got.Outcome != Off || !got.Next.IsZero() {
			t.Errorf("state %+v", got)
		}
		a.Settings.Off = false
		s.f.Set([]Target{a, b})
		clocktest.Pass(time.Minute)
		if got := s.state(a.ID); got.Outcome != Fetched || got.Next.IsZero() {
			t.Errorf("state %+v", got)
		}
	})
}

func TestRunEndsAndMayBeRunAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScene(t)
		a := s.target("www")
		ctx, cancel := context.WithCancel(t.Context())
		s.f.ask = func(ctx context.Context, r responder.Request) (*responder.Answer, error) {
			cancel()
			<-ctx.Done()
			return nil, &responder.Failure{Reason: responder.Canceled, Err: ctx.Err()}
		}
		s.f.Set([]Target{a})
		if err := s.f.Run(ctx); err != nil {
			t.Fatal(err)
		}
		if got := s.state(a.ID); got.Failures != 0 || got.Busy {
			t.Errorf("state %+v: the end of Run is no failure", got)
		}
		s.f.ask = s.exchange
		s.run(s.f)
		s.settle()
		if got := s.state(a.ID); got.Outcome != Fetched {
			t.Errorf("state %+v", got)
		}
	})
}

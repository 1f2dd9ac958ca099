package fetcher

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/crypto/ocsp"

	"github.com/consul-ocsp/consul-ocsp/plugin/clocktest"
	"github.com/consul-ocsp/consul-ocsp/plugin/record"
	"github.com/consul-ocsp/consul-ocsp/plugin/responder"
	"github.com/consul-ocsp/consul-ocsp/plugin/staple"
	"github.com/consul-ocsp/consul-ocsp/plugin/testca"
	"github.com/consul-ocsp/consul-ocsp/plugin/testca/testcatest"
)

const (
	day    = 24 * time.Hour
	period = 2 * day
)

// shortLived is the number of certificates with responses for four days, signed each
// day: shorter than the outage.
const shortLived = 20

// world is a CA that signs each certificate's response every two days, for ten
// days, with two responder hosts, and the clock of whoever leads. Of a few
// certificates responses are shorter: those named path have both hosts, those
// named none only the one that will be down.
type world struct {
	*scene
	start   time.Time
	ahead   atomic.Int64 // the leader's clock, before the real one
	targets []Target
	byID    map[string]int // of targets

	// index are those of targets, by the request for them.
	index map[string]int

	mu     sync.Mutex
	signed map[[2]int64]*responder.Answer
	facts  map[[32]byte]*staple.Facts
	// requests by certificate: those of the schedule that brought a response,
	// those that were repeated, those that failed.
	answered, repeated, failed []int
	// refused are those of the repeated ones that are counted as failed, too.
	refused int
	// ended counts responses that had ended when another one replaced them.
	ended []int
}

// life and period are those of a certificate's responses.
func (w *world) life(i int) (life, every time.Duration) {
	if w.short(i) {
		return 4 * day, day
	}
	return 10 * day, period
}

func (w *world) short(i int) bool { return !strings.HasPrefix(w.targets[i].Name, "c") }

// hopeless says whether there was no way to a fresh response for so long that
// one may have ended: the host was down, and for half a day it need not have
// been noticed that it is back.
func (w *world) hopeless(i int) bool {
	past := time.Since(w.start)
	return strings.HasPrefix(w.targets[i].Name, "none") && past > 12*day && past < 17*day+day/2
}

// watched is a store that notes what had ended when it is replaced.
type watched struct {
	*memory
	w *world
}

func (s watched) Put(st record.Staple) (bool, error) {
	if old, ok := s.stored(st.ID); ok && !old.Meta.Until.After(time.Now()) {
		s.w.mu.Lock()
		s.w.ended[s.w.byID[st.ID]]++
		s.w.mu.Unlock()
	}
	return s.memory.Put(st)
}

func newWorld(t *testing.T, certificates int) *world {
	t.Helper()
	w := &world{
		scene: newScene(t), start: time.Now(), index: map[string]int{}, byID: map[string]int{},
		signed: map[[2]int64]*responder.Answer{}, facts: map[[32]byte]*staple.Facts{},
		answered: make([]int, certificates), repeated: make([]int, certificates), failed: make([]int, certificates), ended: make([]int, certificates),
	}
	down, up := "http://ocsp0.example.com", "http://ocsp1.example.com"
	for _, group := range []struct {
		name  string
		urls  []string
		count int
	}{
		{"c-down", []string{down}, certificates/2 - shortLived}, {"c-up", []string{up}, certificates/2 - shortLived},
		{"path", []string{down, up}, shortLived}, {"none", []string{down}, shortLived},
	} {
		issued := testcatest.IssueMany(t, w.ca, testca.IssueOptions{Responders: group.urls, NotBefore: w.start.Add(-day)}, group.count, group.name+"%03d.example.com")
		for _, c := range issued {
			id := staple.ID(c.Leaf)
			pair, err := staple.Prove(c.Leaf, w.ca.Certificate())
			if err != nil {
				t.Fatal(err)
			}
			request, err := staple.NewRequest(c.Leaf, w.ca.Certificate())
			if err != nil {
				t.Fatal(err)
			}
			w.index[string(request)], w.byID[id] = len(w.targets), len(w.targets)
			w.targets = append(w.targets, Target{
				ID: id, Leaf: c.Leaf, Issuer: w.ca.Certificate(), Job: "edge", Name: c.Name, pair: pair,
				Settings: Settings{MinDelay: time.Hour, MaxDelay: day / 2},
			})
		}
	}
	return w
}

// dead says whether a host is down: the first one is for five days.
func (w *world) dead(url string) bool {
	past := time.Since(w.start)
	return url == "http://ocsp0.example.com" && past > 12*day && past < 17*day
}

// exchange answers, half of the time with the response before the last.
func (w *world) exchange(r responder.Request) (*responder.Answer, error) {
	i, ok := w.index[string(r.OCSP)]
	if !ok {
		return nil, errors.New("a request for no certificate")
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.dead(r.URL) {
		w.failed[i]++
		return nil, &responder.Failure{Reason: responder.Timeout, URL: r.URL, Requests: 1}
	}
	life, every := w.life(i)
	this := time.Now().Truncate(every)
	if rand.IntN(2) == 0 {
		this = this.Add(-every)
	}
	ahead := this.After(w.now().Add(staple.Skew)) // for a leader whose clock is behind
	switch {
	case r.Method != "":
		w.repeated[i]++
		if ahead {
			w.refused++
		}
	case ahead:
		w.failed[i]++
	default:
		w.answered[i]++
	}
	key := [2]int64{int64(i), this.Unix()}
	if w.signed[key] == nil {
		w.signed[key] = w.respond(testca.Answer{Status: ocsp.Good, Serial: w.targets[i].Leaf.SerialNumber, ThisUpdate: this, NextUpdate: this.Add(life)})
	}
	answer := *w.signed[key]
	if r.Method == http.MethodPost {
		answer.Method = r.Method
	}
	return &answer, nil
}

// verify is the real one, which remembers what it has accepted for as long as
// that is in its time.
func (w *world) verify(der []byte, t Target, now time.Time) (*staple.Facts, error) {
	key := sha256.Sum256(append([]byte(t.ID), der...))
	w.mu.Lock()
	defer w.mu.Unlock()
	if f := w.facts[key]; f != nil && !now.Before(f.ThisUpdate) && now.Before(f.Until) {
		return f, nil
	}
	f, err := verify(der, t, now)
	if err == nil {
		w.facts[key] = f
	}
	return f, err
}

// now is the time by the leader's clock.
func (w *world) now() time.Time { return time.Now().Add(time.Duration(w.ahead.Load())).Round(0) }

// lead runs a new leader, who finds what the one before has stored.
func (w *world) lead() (stop func()) {
	c := w.f.c
	c.Now, c.Store = w.now, watched{w.memory, w}
	f := New(c)
	f.ask = func(_ context.Context, r responder.Request) (*responder.Answer, error) { return w.exchange(r) }
	f.verify = w.verify
	w.f = f
	f.Set(w.targets)
	return w.run(f)
}

// plan is what one hour may bring: whose turn is announced for which time, who
// has failed, and how many responses each got so far.
type plan struct {
	next     []time.Time
	failing  []bool
	answered []int
}

func (w *world) plan() plan {
	p := plan{next: make([]time.Time, len(w.targets)), failing: make([]bool, len(w.targets))}
	w.f.mu.Lock()
	for i, target := range w.targets {
		it := w.f.items[target.ID]
		p.next[i], p.failing[i] = it.next, it.failures() > 0
	}
	w.f.mu.Unlock()
	w.mu.Lock()
	p.answered = slices.Clone(w.answered)
	w.mu.Unlock()
	return p
}

// kept says whether the hour since p brought at most one response for each
// certificate, and none for those whose turn was neither scheduled nor a retry.
// After a change of leader or a clock that went back turns are scheduled anew.
func (w *world) kept(p plan, anew bool) error {
	for i, target := range w.targets {
		n := w.answered[i] - p.answered[i]
		due := anew || p.failing[i] || !p.next[i].After(w.now())
		if n > 1 || n == 1 && !due {
			return fmt.Errorf("%s was asked for %d times in an hour; its turn was scheduled for %v, %v later", target.Name, n, p.next[i], p.next[i].Sub(w.now()))
		}
	}
	return nil
}

// valid says whether each certificate has a response that has not ended, and had
// one all the time, if there was any way to have it.
func (w *world) valid() error {
	for i, target := range w.targets {
		st, ok := w.memory.stored(target.ID)
		switch {
		case w.hopeless(i):
		case !ok || !st.Meta.Until.After(time.Now()):
			return fmt.Errorf("%s has no valid response: %+v", target.Name, w.state(target.ID))
		case w.ended[i] > 0 && !strings.HasPrefix(target.Name, "none"):
			return fmt.Errorf("%s had none for a while", target.Name)
		}
	}
	return nil
}

// TestAMonthOfAThousandCertificates has a responder that is down for five days,
// half of all answers outdated, clocks that are set wrong and right again, and
// a new leader every two days; some of it at the same time.
func TestAMonthOfAThousandCertificates(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const certificates, days = 1000, 30
		w := newWorld(t, certificates)
		steps := map[int]time.Duration{ // by the hour
			3 * 24: 2 * time.Hour, 4 * 24: 0, 6*24 + 5: -2 * time.Hour, 7*24 + 7: 0,
			14 * 24: 3 * time.Hour, 15 * 24: 0, 15*24 + 7: -2 * time.Hour, 16 * 24: 0,
			21*24 + 3: -36 * time.Hour, 22 * 24: 0, 25 * 24: -10 * time.Minute, 26 * 24: 10 * time.Minute,
		}
		var repeated, failures, requests uint64
		stop := w.lead()
		change := func() {
			stop()
			c := w.f.Counts()
			repeated, requests = repeated+c.Repeated, requests+c.Requests
			for _, n := range c.Failures {
				failures += n
			}
		}
		clocktest.Pass(30 * time.Minute)
		p, anew := w.plan(), false
		for hour := 1; hour <= days*24; hour++ {
			clocktest.Pass(time.Hour)
			if err := errors.Join(w.valid(), w.kept(p, anew)); err != nil {
				t.Fatalf("hour %d: %v", hour, err)
			}
			anew = false
			if offset, ok := steps[hour]; ok {
				anew = int64(offset) < w.ahead.Swap(int64(offset))
			}
			if hour%(2*24) == 0 && hour < days*24 {
				change()
				clocktest.Pass(time.Minute) // nobody leads
				stop, anew = w.lead(), true
				synctest.Wait()
			}
			p = w.plan()
		}
		change()
		w.judge(days, 14+len(steps), repeated, failures, requests)
	})
}

// judge holds the requests against what is counted: each is one for a certificate
// and a scheduled refresh, which plans have seen, or a retry.
func (w *world) judge(days, changes int, repeated, failures, requests uint64) {
	w.t.Helper()
	var sum [3]int
	ended := 0
	for i, target := range w.targets {
		// max_delay is half a day, jitter a tenth of it; a new leader, and a clock
		// that was set, may begin anew; one host is away for five days.
		if most, least := days*2*10/9+changes, (days-5)*2-changes; w.answered[i] < least || w.answered[i] > most {
			w.t.Errorf("%s: %d scheduled requests, want %d to %d", target.Name, w.answered[i], least, most)
		}
		sum[0], sum[1], sum[2] = sum[0]+w.answered[i], sum[1]+w.repeated[i], sum[2]+w.failed[i]
		ended += min(w.ended[i], 1)
	}
	if uint64(sum[1]) != repeated || uint64(sum[2]+w.refused) != failures || uint64(sum[0]+sum[1]+sum[2]) != requests {
		w.t.Errorf("scheduled, repeated and failed %v; counted are %d repeated, %d failed, %d requests", sum, repeated, failures, requests)
	}
	if sum[2] > 3*len(w.targets) {
		w.t.Errorf("%d requests that failed", sum[2])
	}
	// Else what has ended would not be noticed.
	if ended != shortLived {
		w.t.Errorf("%d responses ended without a way to another one, want %d", ended, shortLived)
	}
	w.t.Logf("scheduled, repeated and failed: %v", sum)
}

package fetcher

import (
	"context"
	"crypto/sha256"
	"fmt"
	"math/rand/v2"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/crypto/ocsp"

	"github.com/consul-ocsp/consul-ocsp/plugin/responder"
	"github.com/consul-ocsp/consul-ocsp/plugin/staple"
	"github.com/consul-ocsp/consul-ocsp/plugin/testca"
)

const (
	day    = 24 * time.Hour
	period = 2 * day
)

// world is a CA that signs each certificate's response every two days, for ten
// days, with two responder hosts, and the clock of whoever leads.
type world struct {
	*scene
	start   time.Time
	ahead   atomic.Int64 // the leader's clock, before the real one
	targets []Target
	index   map[string]int // of targets, by serial number

	mu     sync.Mutex
	signed map[[2]int64]*responder.Answer
	facts  map[[32]byte]*staple.Facts
	// asked are requests by certificate: those of the schedule that were
	// answered, those that were repeated, those that failed.
	answered, repeated, failed []int
}

func newWorld(t *testing.T, certificates int) *world {
	t.Helper()
	w := &world{
		scene: newScene(t), start: time.Now(), index: map[string]int{},
		signed: map[[2]int64]*responder.Answer{}, facts: map[[32]byte]*staple.Facts{},
		answered: make([]int, certificates), repeated: make([]int, certificates), failed: make([]int, certificates),
	}
	for _, host := range []string{"ocsp0.example.com", "ocsp1.example.com"} {
		var names []string
		for i := range certificates / 2 {
			names = append(names, fmt.Sprintf("c%03d.%s", i, host))
		}
		issued, err := w.ca.IssueMany(names, testca.IssueOptions{Responders: []string{"http://" + host}, NotBefore: w.start.Add(-day)})
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range issued {
			w.index[c.Serial.String()] = len(w.targets)
			w.targets = append(w.targets, Target{
				ID: staple.ID(c.Leaf), Leaf: c.Leaf, Issuer: w.ca.Certificate(), Job: "edge", Name: c.Name,
				Settings: Settings{MaxDelay: day / 2},
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
	q, err := ocsp.ParseRequest(r.OCSP)
	if err != nil {
		return nil, err
	}
	i := w.index[q.SerialNumber.String()]
	w.mu.Lock()
	defer w.mu.Unlock()
	switch {
	case w.dead(r.URL):
		w.failed[i]++
		return nil, &responder.Failure{Reason: responder.Timeout, URL: r.URL, Requests: 1}
	case r.Method != "":
		w.repeated[i]++
	default:
		w.answered[i]++
	}
	this := time.Now().Truncate(period)
	if rand.IntN(2) == 0 {
		this = this.Add(-period)
	}
	key := [2]int64{int64(i), this.Unix()}
	if w.signed[key] == nil {
		w.signed[key] = w.respond(testca.Answer{Status: ocsp.Good, Serial: q.SerialNumber, ThisUpdate: this, NextUpdate: this.Add(10 * day)})
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

// lead runs a new leader, who finds what the one before has stored.
func (w *world) lead() (stop func()) {
	c := w.f.c
	c.Now = func() time.Time { return time.Now().Add(time.Duration(w.ahead.Load())).Round(0) }
	f := New(c)
	f.ask = func(_ context.Context, r responder.Request) (*responder.Answer, error) { return w.exchange(r) }
	f.verify = w.verify
	w.f = f
	f.Set(w.targets)
	return w.run(f)
}

// TestAMonthOfAThousandCertificates has a responder that is down for five days,
// half of all answers outdated, clocks that are set wrong and right again, and
// a new leader every two days.
func TestAMonthOfAThousandCertificates(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const certificates, days = 1000, 30
		w := newWorld(t, certificates)
		steps := map[int]time.Duration{ // by the hour
			3 * 24: 2 * time.Hour, 4 * 24: 0, 6*24 + 5: -2 * time.Hour, 7*24 + 7: 0,
			14 * 24: 3 * time.Hour, 15 * 24: 0, 21*24 + 3: -36 * time.Hour, 22 * 24: 0, 25 * 24: -10 * time.Minute, 26 * 24: 10 * time.Minute,
		}
		var repeated, failures, requests uint64
		stop := w.lead()
		change := func() {
			stop()
			c := w.f.Counts()
			repeated, requests = repeated+c.Repeated, requests+c.Requests
			failures += c.Failures[string(responder.Timeout)]
		}
		time.Sleep(30 * time.Minute)
		for hour := 1; hour <= days*24; hour++ {
			time.Sleep(time.Hour)
			synctest.Wait()
			if offset, ok := steps[hour]; ok {
				w.ahead.Store(int64(offset))
			}
			for _, target := range w.targets {
				if st, ok := w.memory.stored(target.ID); !ok || !st.Meta.Until.After(time.Now()) {
					t.Fatalf("hour %d: %s has no valid response: %+v", hour, target.Name, w.state(target.ID))
				}
			}
			if hour%(2*24) == 0 && hour < days*24 {
				change()
				time.Sleep(time.Minute) // nobody leads
				stop = w.lead()
			}
		}
		change()
		w.judge(days, 14+len(steps), repeated, failures, requests)
	})
}

// judge holds the requests against what is allowed: one for each certificate
// and scheduled refresh, and those that are counted besides.
func (w *world) judge(days, changes int, repeated, failures, requests uint64) {
	w.t.Helper()
	// max_delay is half a day, jitter a tenth of it; a new leader, and a clock
	// that was set, may begin anew.
	most := days*2*10/9 + changes
	var sum [3]int
	for i, target := range w.targets {
		if w.answered[i] < days*2-changes || w.answered[i] > most {
			w.t.Errorf("%s: %d scheduled requests, want at most %d", target.Name, w.answered[i], most)
		}
		sum[0], sum[1], sum[2] = sum[0]+w.answered[i], sum[1]+w.repeated[i], sum[2]+w.failed[i]
	}
	if uint64(sum[1]) != repeated || uint64(sum[2]) != failures || uint64(sum[0]+sum[1]+sum[2]) != requests {
		w.t.Errorf("scheduled, repeated and failed %v; counted are %d repeated, %d failed, %d requests", sum, repeated, failures, requests)
	}
	if sum[2] > len(w.targets)/2 {
		w.t.Errorf("%d requests to a host that was down", sum[2])
	}
	w.t.Logf("scheduled, repeated and failed: %v", sum)
}

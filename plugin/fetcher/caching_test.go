package fetcher

import (
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/net/http/httpproxy"

	"github.com/consul-ocsp/consul-ocsp/plugin/responder"
	"github.com/consul-ocsp/consul-ocsp/plugin/testca"
)

// fixedScene asks over HTTP, with a clock that stands still.
func fixedScene(t *testing.T, now time.Time) *scene {
	t.Helper()
	s := newScene(t)
	clock := func() time.Time { return now }
	client := responder.New(responder.Config{Now: clock, Proxy: &httpproxy.Config{}})
	t.Cleanup(client.Close)
	s.f = New(Config{Store: s.memory, Publisher: s.memory, Client: client, Now: clock, Rand: func() float64 { return 0 }})
	return s
}

// log notes how a server was asked.
type log struct {
	mu   sync.Mutex
	asks []string
}

func (l *log) add(r *http.Request) string {
	ask := r.Method
	if r.Header.Get("Cache-Control") == "no-cache" {
		ask += " no-cache"
	}
	if r.Header.Get("If-None-Match") != "" {
		ask += " if-none-match"
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.asks = append(l.asks, ask)
	return ask
}

func (l *log) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Join(l.asks, ", ")
}

func TestWhatIsHeldIsNotDownloadedAgain(t *testing.T) {
	now := time.Now().Truncate(time.Second)
	s := fixedScene(t, now)
	var l log
	var a Target
	server := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		l.add(r)
		w.Header().Set("ETag", `"first"`)
		if r.Header.Get("If-None-Match") != "" {
			w.WriteHeader(http.StatusNotModified)
			return
		}
		w.Write(s.respond(testca.Answer{Serial: a.Leaf.SerialNumber, ThisUpdate: now, NextUpdate: now.Add(time.Hour)}).Body)
	}))
	a = s.target("a", server.URL)
	s.f.Set([]Target{a})
	for _, want := range []string{"a:fetched: ", "a:unchanged: ", "a:unchanged: "} {
		if got := outcomes(s.f.Pass(t.Context(), PassOptions{Force: true})); got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
	if got := l.String(); got != "GET, GET if-none-match, GET if-none-match" || s.f.Counts().NotModified != 2 {
		t.Errorf("%s; %+v", got, s.f.Counts())
	}
	// Something else is held now: what the server calls it is not known.
	s.store(a, testca.Answer{ThisUpdate: now.Add(time.Second), NextUpdate: now.Add(time.Hour)})
	a.Settings.MinDelay = time.Minute // read again
	s.f.Set([]Target{a})
	s.f.Pass(t.Context(), PassOptions{Force: true})
	if got := strings.Split(l.String(), ", ")[3]; got != "GET" {
		t.Errorf("then asked by %s", got)
	}
}

func TestNotModifiedWithoutAnythingHeldIsAFailure(t *testing.T) {
	s := realScene(t)
	a := s.target("a", serve(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusNotModified)
	})).URL)
	s.f.Set([]Target{a})
	if got := outcomes(s.f.Pass(t.Context(), PassOptions{})); got != "a:failed:not-modified " {
		t.Error(got)
	}
}

func TestMaxAgePullsARefreshEarlierOnly(t *testing.T) {
	now := time.Now().Truncate(time.Second)
	for _, c := range []struct {
		control string
		date    time.Time
		want    time.Duration
	}{
		{"", now, 30 * time.Minute}, // half-life
		{"max-age=600", now, 10 * time.Minute},
		{"max-age=1200", now.Add(-10 * time.Minute), 10 * time.Minute}, // by the server's Date
		{"max-age=1", now, 5 * time.Minute},                            // min_delay
		{"max-age=315360000000", now, 30 * time.Minute},
		{"no-store", now, 30 * time.Minute},
	} {
		s := fixedScene(t, now)
		var a Target
		a = s.target("a", serve(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Date", c.date.UTC().Format(http.TimeFormat))
			w.Header().Set("Cache-Control", c.control)
			w.Write(s.respond(testca.Answer{Serial: a.Leaf.SerialNumber, ThisUpdate: now, NextUpdate: now.Add(time.Hour)}).Body)
		})).URL)
		s.f.Set([]Target{a})
		r := s.f.Pass(t.Context(), PassOptions{})[0]
		if got := r.Next.Sub(now); got != c.want || r.Outcome != Fetched {
			t.Errorf("%q: %s, next after %v, want %v", c.control, r.Outcome, got, c.want)
		}
	}
}

func TestWhatACacheKeptTooLongIsAskedForOnceMore(t *testing.T) {
	now := time.Now().Truncate(time.Second)
	held := testca.Answer{ThisUpdate: now.Add(-50 * time.Minute), NextUpdate: now.Add(10 * time.Minute)}
	older := testca.Answer{ThisUpdate: now.Add(-55 * time.Minute), NextUpdate: now.Add(5 * time.Minute)}
	ended := testca.Answer{ThisUpdate: now.Add(-3 * time.Hour), NextUpdate: now.Add(-2 * time.Hour)}
	fresh := testca.Answer{ThisUpdate: now, NextUpdate: now.Add(time.Hour)}
	for _, c := range []struct {
		name   string
		cached testca.Answer
		// who gives the fresh one; "": nobody
		by, asked, want string
	}{
		{"past caches", held, "GET no-cache", "GET, GET no-cache", "a:fetched: "},
		{"by POST", held, "POST", "GET, GET no-cache, POST", "a:fetched: "},
		{"nowhere yet", held, "", "GET, GET no-cache, POST", "a:unchanged: "},
		{"older, by POST", older, "POST", "GET, GET no-cache, POST", "a:fetched: "},
		{"older everywhere", older, "", "GET, GET no-cache, POST", "a:unchanged:older "},
		{"ended, past caches", ended, "GET no-cache", "GET, GET no-cache", "a:fetched: "},
		{"ended, by POST", ended, "POST", "GET, GET no-cache, POST", "a:fetched: "},
		{"ended everywhere", ended, "", "GET, GET no-cache, POST", "a:failed:expired "},
		{"the usual answer is fresh", fresh, "", "GET", "a:fetched: "},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := fixedScene(t, now)
			var l log
			var a Target
			a = s.target("a", serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				answer := c.cached
				if l.add(r) == c.by {
					answer = fresh
				}
				answer.Serial = a.Leaf.SerialNumber
				w.Write(s.respond(answer).Body)
			})).URL)
			s.store(a, held)
			s.f.Set([]Target{a})
			if got := outcomes(s.f.Pass(t.Context(), PassOptions{Force: true})); got != c.want || l.String() != c.asked {
				t.Errorf("%s by %s, want %s by %s", got, &l, c.want, c.asked)
			}
			if n := len(strings.Split(c.asked, ", ")) - 1; s.f.Counts().Repeated != uint64(n) {
				t.Errorf("%+v, want %d repeated", s.f.Counts(), n)
			}
		})
	}
}

// A CA that renews late has nothing newer for hours: it is asked three times
// then only after half of what was left has passed.
func TestAResponderWithNothingNewerIsNotPressed(t *testing.T) {
	now := time.Now().Truncate(time.Second)
	l := life{this: now.Add(-6 * time.Hour), until: now.Add(4 * time.Hour)}
	x, y := checksum(strings.Repeat("aa", 32)), checksum(strings.Repeat("bb", 32))
	b := bypass{}
	tried := 0
	for at := now; at.Before(l.until); at = at.Add(time.Minute) {
		if b.worth(x, l, at) {
			tried++
			b = bypass{sha256: x, left: l.until.Sub(at)}
		}
	}
	if tried < 7 || tried > 9 {
		t.Errorf("tried %d times in 4 hours, want once each time that half has passed", tried)
	}
	if (bypass{}).worth(x, l, l.half().Add(-time.Second)) {
		t.Error("tried before the half-life")
	}
	if !b.worth(y, l, now) {
		t.Error("not tried for another response")
	}
}

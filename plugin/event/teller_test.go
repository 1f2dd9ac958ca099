package event

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/consul-ocsp/consul-ocsp/plugin/clocktest"
	"github.com/consul-ocsp/consul-ocsp/plugin/logtest"
	"github.com/consul-ocsp/consul-ocsp/plugin/record"
)

// memory is a Memory that lives as long as the test, and can fail.
type memory struct {
	mu    sync.Mutex
	told  record.Told
	fails bool
}

func (m *memory) Told(context.Context) (record.Told, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.fails {
		return record.Told{}, errors.New("no disk")
	}
	b, err := m.told.Encode()
	if err != nil {
		return record.Told{}, err
	}
	return record.DecodeTold(b)
}

func (m *memory) KeepTold(_ context.Context, t record.Told) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.fails {
		return errors.New("no disk")
	}
	m.told = t
	return nil
}

func (m *memory) state(id string) string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.told.Certificates[id].State
}

// scene is a teller that runs, at noon, and whom it tells.
type scene struct {
	*Teller
	memory *memory
	log    *logtest.Text
	stop   func()
}

func run(t *testing.T, m *memory, s Settings) *scene {
	t.Helper()
	if s.Events == nil {
		s.Events = []string{Revoked, Expiring, Recovered, Leader}
	}
	if s.Timeout == 0 {
		s.Timeout = 10 * time.Second
	}
	log := &logtest.Text{}
	teller := New(Config{
		Node: "lb-1", Memory: m, Logger: hclog.New(&hclog.LoggerOptions{Output: log, Level: hclog.Debug}), UserAgent: "consul-ocsp/test",
		Settings: func() Settings { return s }, Now: func() time.Time { return noon },
	})
	for _, sink := range teller.sinks {
		sink.pause = func(int) time.Duration { return time.Millisecond }
	}
	ctx, cancel := context.WithCancel(context.Background())
	ready, done := make(chan struct{}), make(chan struct{})
	go func() { defer close(done); teller.Run(ctx, func() { close(ready) }) }() // ends with stop
	stop := sync.OnceFunc(func() { cancel(); <-done })
	t.Cleanup(stop)
	<-ready
	return &scene{Teller: teller, memory: m, log: log, stop: stop}
}

// see shows the teller certificates.
func (s *scene) see(list ...Observation) { s.Observe(slices.Values(list), false) }

// hook is a real HTTP server that keeps what is posted.
type hook struct {
	*httptest.Server
	mu     sync.Mutex
	events []Event
	heads  []http.Header
}

// newHook answers with what answer writes; nil: 204.
func newHook(t *testing.T, answer func(n int, w http.ResponseWriter, r *http.Request)) *hook {
	t.Helper()
	h := &hook{}
	h.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var e Event
		b, err := io.ReadAll(r.Body)
		if err == nil {
			err = json.Unmarshal(b, &e)
		}
		if err != nil || r.Method != http.MethodPost {
			t.Errorf("%s %q: %v", r.Method, b, err)
		}
		h.mu.Lock()
		h.events, h.heads = append(h.events, e), append(h.heads, r.Header)
		n := len(h.events)
		h.mu.Unlock()
		if answer == nil {
			w.WriteHeader(http.StatusNoContent)
			return
		}
		answer(n, w, r)
	}))
	t.Cleanup(h.Close)
	return h
}

// kinds are the events that came, as "revoked edge/www".
func (h *hook) kinds() string {
	h.mu.Lock()
	defer h.mu.Unlock()
	var all []string
	for _, e := range h.events {
		all = append(all, strings.TrimSuffix(e.Event+" "+e.Job+"/"+e.Name, " /"))
	}
	return strings.Join(all, ", ")
}

func TestCommandIsTold(t *testing.T) {
	dir := t.TempDir()
	script := fmt.Sprintf(`env | grep ^CONSUL_OCSP_ | sort > %[1]s/env.new && cat > %[1]s/json && mv %[1]s/env.new %[1]s/env`, dir)
	t.Setenv("CONSUL_HTTP_TOKEN", "geheim")
	s := run(t, &memory{}, Settings{Command: []string{"/bin/sh", "-c", script}})
	o := revoked(time.Hour)
	o.MustStaple = true
	s.see(o)
	clocktest.Eventually(t, "the command", func() bool { _, err := os.Stat(filepath.Join(dir, "env")); return err == nil })
	env, err := os.ReadFile(filepath.Join(dir, "env"))
	if err != nil {
		t.Fatal(err)
	}
	want := strings.Join([]string{
		"CONSUL_OCSP_EVENT=revoked", "CONSUL_OCSP_ID=" + o.ID, "CONSUL_OCSP_JOB=edge", "CONSUL_OCSP_MESSAGE=edge/www is revoked: keyCompromise",
		"CONSUL_OCSP_MUST_STAPLE=true", "CONSUL_OCSP_NAME=www", "CONSUL_OCSP_NODE=lb-1", "CONSUL_OCSP_REASON=keyCompromise",
		"CONSUL_OCSP_STATE=revoked", "CONSUL_OCSP_STATUS=revoked", "CONSUL_OCSP_TIME=2026-11-21T12:00:00Z", "CONSUL_OCSP_UNTIL=2026-11-25T11:00:00Z",
	}, "\n") + "\n"
	if string(env) != want {
		t.Errorf("environment:\n%s\nwant\n%s", env, want)
	}
	b, err := os.ReadFile(filepath.Join(dir, "json"))
	if err != nil {
		t.Fatal(err)
	}
	var e Event
	if err := json.Unmarshal(b, &e); err != nil || e.Event != Revoked || e.ID != o.ID || !e.RevokedAt.Equal(o.RevokedAt) || e.Names[0] != "www.example.com" {
		t.Errorf("%s, %v", b, err)
	}
}

// The same is told once, also after a restart, and what comes after it again.
func TestToldOnce(t *testing.T) {
	h, m := newHook(t, nil), &memory{}
	s := run(t, m, Settings{Webhook: h.URL})
	s.Leader()
	for range 3 {
		s.see(revoked(3 * time.Hour))
	}
	clocktest.Eventually(t, "memory", func() bool { return m.state(revoked(0).ID) == stateRevoked })
	s.stop()

	s = run(t, m, Settings{Webhook: h.URL})
	s.Leader()
	s.see(revoked(2 * time.Hour)) // refreshed
	s.see(good(time.Hour))        // released
	s.see(revoked(2 * time.Hour)) // seen by who had not heard of it
	s.see(good(time.Hour))
	s.see(revoked(time.Minute))
	clocktest.Eventually(t, "events", func() bool { return s.Counts().Sent == 2 })
	if got, want := h.kinds(), "leader, revoked edge/www, recovered edge/www, revoked edge/www"; got != want {
		t.Errorf("told: %s; want %s", got, want)
	}
	if head := h.heads[0]; head.Get("Content-Type") != "application/json" || head.Get("User-Agent") != "consul-ocsp/test" {
		t.Errorf("%v", head)
	}
}

// Who could not be told before the end is told by who comes next.
func TestNotToldIsToldLater(t *testing.T) {
	dead := httptest.NewServer(nil)
	dead.Close()
	m := &memory{}
	s := run(t, m, Settings{Webhook: dead.URL + "/geheim?key=geheim"})
	for _, sink := range s.sinks {
		sink.pause = func(int) time.Duration { return time.Hour }
	}
	s.see(revoked(time.Hour))
	clocktest.Eventually(t, "warning", func() bool { return strings.Contains(s.log.String(), "tried again") })
	s.stop()
	if strings.Contains(s.log.String(), "geheim") || !strings.Contains(s.log.String(), "connection refused") {
		t.Errorf("the log shows the URL, or not what is wrong:\n%s", s.log)
	}
	h := newHook(t, nil)
	s = run(t, m, Settings{Webhook: h.URL})
	s.see(revoked(time.Hour))
	clocktest.Eventually(t, "event", func() bool { return h.kinds() == "revoked edge/www" })
}

// A webhook that fails is tried again; what it says of the request itself, and a
// redirect, is final. One that fails does not keep the command from being run.
func TestFailingWebhook(t *testing.T) {
	elsewhere := newHook(t, nil)
	for name, c := range map[string]struct {
		answer       func(n int, w http.ResponseWriter, r *http.Request)
		asked        int
		sent, failed uint64
		log          string
	}{
		"recovers": {func(n int, w http.ResponseWriter, _ *http.Request) {
			if n < 3 {
				w.WriteHeader(http.StatusServiceUnavailable)
			}
		}, 3, 2, 0, "answers with 503"},
		"too many requests": {func(n int, w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTooManyRequests) }, maxTries, 1, 1, "given up"},
		"wrong":             {func(_ int, w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNotFound) }, 1, 1, 1, "answers with 404"},
		"redirect": {func(_ int, w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, elsewhere.URL, http.StatusTemporaryRedirect)
		}, 1, 1, 1, "redirect (307), which is not followed"},
		"hangs up": {func(n int, _ http.ResponseWriter, _ *http.Request) {
			if n < 2 {
				panic(http.ErrAbortHandler)
			}
		}, 2, 2, 0, "EOF"},
		"endless answer": {func(_ int, w http.ResponseWriter, r *http.Request) {
			for r.Context().Err() == nil {
				if _, err := w.Write(make([]byte, 1<<10)); err != nil {
					return
				}
			}
		}, 1, 2, 0, ""},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHook(t, c.answer)
			s := run(t, &memory{}, Settings{Webhook: h.URL + "/geheim", Command: []string{"true"}})
			s.see(good(97 * time.Hour))
			clocktest.Eventually(t, "end", func() bool { n := s.Counts(); return n.Sent == c.sent && n.Failed == c.failed })
			if got := strings.Count(h.kinds(), Expiring); got != c.asked || !strings.Contains(s.log.String(), c.log) {
				t.Errorf("asked %d times, want %d; log without %q:\n%s", got, c.asked, c.log, s.log)
			}
			if strings.Contains(s.log.String(), "geheim") {
				t.Errorf("the path is in the log:\n%s", s.log)
			}
			clocktest.Eventually(t, "memory: what was given up is not told again", func() bool { return s.memory.state(good(0).ID) == stateEnded })
		})
	}
	if got := elsewhere.kinds(); got != "" {
		t.Errorf("a redirect was followed: %s", got)
	}
}

// A webhook that takes nothing for a day makes a handful of lines, however many
// events are lost, and one line when it is back.
func TestLostEventsMakeAHandfulOfLines(t *testing.T) {
	t.Parallel()
	var down atomic.Bool
	down.Store(true)
	h := newHook(t, func(_ int, w http.ResponseWriter, _ *http.Request) {
		if down.Load() {
			w.WriteHeader(http.StatusBadGateway)
		}
	})
	s := run(t, &memory{}, Settings{Webhook: h.URL})
	seen := func(from, to int) {
		for i := from; i < to; i++ {
			o := revoked(time.Hour)
			o.ID = fmt.Sprintf("%064x", i)
			s.see(o)
		}
	}
	seen(0, 50)
	clocktest.Eventually(t, "events that are given up", func() bool { return s.Counts().Failed == 50 })
	down.Store(false)
	seen(50, 60)
	clocktest.Eventually(t, "events that are told", func() bool { return s.Counts().Sent == 10 })
	log := s.log.String()
	for level, want := range map[string]int{"[WARN]": 1, "[ERROR]": mostLost, "[INFO]": 1} {
		if got := strings.Count(log, level); got != want {
			t.Errorf("%d lines at %s, want %d:\n%s", got, level, want, log)
		}
	}
	if !strings.Contains(log, "events are told again: to=webhook given_up=50") {
		t.Errorf("its end:\n%s", log)
	}
}

func TestFailingCommand(t *testing.T) {
	dir := t.TempDir()
	slow := fmt.Sprintf(`echo x >> %s/tries; [ $(wc -l < %[1]s/tries) -gt 2 ] || { echo no mail server; exit 1; }`, dir)
	s := run(t, &memory{}, Settings{Command: []string{"/bin/sh", "-c", slow}})
	s.see(revoked(time.Hour))
	clocktest.Eventually(t, "third try", func() bool { return s.Counts().Sent == 1 })
	if !strings.Contains(s.log.String(), "exit status 1: no mail server") {
		t.Errorf("the log does not say why:\n%s", s.log)
	}
	hanging := run(t, &memory{}, Settings{Command: []string{"sleep", "1000"}, Timeout: 10 * time.Millisecond})
	hanging.see(revoked(time.Hour))
	clocktest.Eventually(t, "end of the tries", func() bool { return hanging.Counts().Failed == 1 })
	if !strings.Contains(hanging.log.String(), "it took too long") {
		t.Errorf("the log does not say why:\n%s", hanging.log)
	}
	absent := run(t, &memory{}, Settings{Command: []string{"/no/such/command"}})
	absent.see(revoked(time.Hour))
	clocktest.Eventually(t, "end of the tries", func() bool { return absent.Counts().Failed == 1 })
}

// Observing never waits; what has no room in the queue is told later, of all that
// which must be stapled first.
func TestFullQueue(t *testing.T) {
	gate := make(chan struct{})
	h := newHook(t, func(n int, _ http.ResponseWriter, _ *http.Request) { <-gate })
	s := run(t, &memory{}, Settings{Webhook: h.URL})
	var all []Observation
	for i := range maxQueue + 100 {
		o := revoked(time.Hour)
		o.ID, o.Name, o.MustStaple = fmt.Sprintf("%064x", i), fmt.Sprint(i), i == maxQueue
		all = append(all, o)
	}
	s.see(all...)
	if n := s.Counts().Dropped; n < 99 {
		t.Errorf("%d dropped", n)
	}
	if n := strings.Count(s.log.String(), "too many events"); n != 1 {
		t.Errorf("said %d times", n)
	}
	close(gate)
	clocktest.Eventually(t, "all", func() bool { s.see(all...); return s.Counts().Sent == maxQueue+100 })
	if got := h.kinds(); !strings.HasPrefix(got, fmt.Sprintf("revoked edge/%d, ", maxQueue)) || strings.Count(got, Revoked) != maxQueue+100 {
		t.Errorf("%d, first %.100s", strings.Count(got, Revoked), got)
	}
}

func TestOnlyWhatIsAskedFor(t *testing.T) {
	h, m := newHook(t, nil), &memory{}
	s := run(t, m, Settings{Webhook: h.URL, Events: []string{Recovered}})
	s.Leader()
	s.see(revoked(2 * time.Hour))
	s.see(good(time.Hour))
	clocktest.Eventually(t, "event", func() bool { return h.kinds() == "recovered edge/www" })
	// What all is well with again is forgotten, with what nobody wants any more.
	old := revoked(time.Hour)
	old.ID = strings.Repeat("b", 64)
	s.see(old)
	s.mu.Lock()
	last := s.told.Certificates[old.ID]
	last.At = noon.Add(-25 * time.Hour)
	s.told.Certificates[old.ID] = last
	s.mu.Unlock()
	s.Observe(slices.Values([]Observation{good(time.Minute)}), true)
	clocktest.Eventually(t, "memory", func() bool { return m.state(old.ID) == "" && m.state(good(0).ID) == "" })
	none := run(t, m, Settings{})
	none.see(revoked(time.Hour))
	if none.told.Certificates[good(0).ID].State != "" {
		t.Error("an event was told to nobody")
	}
}

// Without a memory all is told, perhaps twice.
func TestNoMemory(t *testing.T) {
	h := newHook(t, nil)
	s := run(t, &memory{fails: true}, Settings{Webhook: h.URL})
	s.see(revoked(time.Hour))
	clocktest.Eventually(t, "event", func() bool { return h.kinds() == "revoked edge/www" })
	clocktest.Eventually(t, "warnings", func() bool { return strings.Count(s.log.String(), "no disk") == 2 })
}

func TestFlush(t *testing.T) {
	h, m := newHook(t, nil), &memory{}
	for range 2 {
		s := New(Config{
			Node: "lb-1", Memory: m, Logger: hclog.NewNullLogger(), Now: func() time.Time { return noon },
			Settings: func() Settings { return Settings{Webhook: h.URL, Events: []string{Revoked}, Timeout: time.Second} },
		})
		s.Flush(t.Context(), func() { s.Observe(slices.Values([]Observation{revoked(time.Hour)}), false) })
	}
	if got := h.kinds(); got != "revoked edge/www" {
		t.Errorf("told: %q", got)
	}
}

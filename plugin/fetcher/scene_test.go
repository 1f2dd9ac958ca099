package fetcher

import (
	"context"
	"errors"
	"fmt"
	"math/big"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"
	"time"

	"golang.org/x/crypto/ocsp"

	"github.com/consul-ocsp/consul-ocsp/plugin/clocktest"
	"github.com/consul-ocsp/consul-ocsp/plugin/record"
	"github.com/consul-ocsp/consul-ocsp/plugin/responder"
	"github.com/consul-ocsp/consul-ocsp/plugin/staple"
	"github.com/consul-ocsp/consul-ocsp/plugin/testca"
	"github.com/consul-ocsp/consul-ocsp/plugin/testca/testcatest"
)

// memory is a Store and a Publisher that can be made to fail.
type memory struct {
	storeErr   error
	readErr    error
	publishErr func([]record.Staple) error

	mu        sync.Mutex
	staples   map[string]record.Staple
	published []record.Staple
	batches   [][]string
	troubles  map[string]record.Trouble
	told      int // troubles that were reported
	replaced  int
}

func newMemory() *memory {
	return &memory{staples: map[string]record.Staple{}, troubles: map[string]record.Trouble{}}
}

func (m *memory) Staple(id string) (record.Staple, bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.readErr != nil {
		return record.Staple{}, false, m.readErr
	}
	st, ok := m.staples[id]
	return st, ok, nil
}

func (m *memory) Put(st record.Staple) (bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.storeErr != nil {
		return false, m.storeErr
	}
	if old, ok := m.staples[st.ID]; ok && !st.Meta.Supersedes(old.Meta) {
		return false, nil
	}
	m.staples[st.ID] = st
	return true, nil
}

func (m *memory) Replace(st record.Staple) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.staples[st.ID] = st
	m.replaced++
	return nil
}

func (m *memory) Publish(_ context.Context, list []record.Staple) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.publishErr != nil {
		if err := m.publishErr(list); err != nil {
			return err
		}
	}
	var ids []string
	for _, st := range list {
		ids = append(ids, st.ID)
	}
	m.published = append(m.published, list...)
	m.batches = append(m.batches, ids)
	return nil
}

func (m *memory) Trouble(_ context.Context, id string, t *record.Trouble) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if t == nil {
		delete(m.troubles, id)
		return nil
	}
	m.told++
	m.troubles[id] = *t
	return nil
}

func (m *memory) trouble(id string) (record.Trouble, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	t, ok := m.troubles[id]
	return t, ok
}

func (m *memory) stored(id string) (record.Staple, bool) {
	st, ok, _ := m.Staple(id)
	return st, ok
}

func (m *memory) publications() []record.Staple {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.published)
}

// scene is a CA, and a fetcher whose exchanges are answered by a function.
type scene struct {
	t      *testing.T
	ca     *testca.CA
	memory *memory
	f      *Fetcher

	mu sync.Mutex
	// answers are by serial number; what is not there is good for an hour.
	answers map[string]func(responder.Request) (*responder.Answer, error)
	asked   []string // URLs with methods
}

func newScene(t *testing.T) *scene {
	t.Helper()
	ca := testcatest.Init(t, testca.InitOptions{NotBefore: time.Now().AddDate(-1, 0, 0)})
	s := &scene{t: t, ca: ca, memory: newMemory(), answers: map[string]func(responder.Request) (*responder.Answer, error){}}
	s.f = New(Config{Store: s.memory, Publisher: s.memory, Gather: time.Second})
	s.f.ask = s.exchange
	return s
}

func (s *scene) exchange(ctx context.Context, r responder.Request) (*responder.Answer, error) {
	if err := ctx.Err(); err != nil {
		return nil, &responder.Failure{Reason: responder.Canceled, URL: r.URL, Err: err}
	}
	q, err := ocsp.ParseRequest(r.OCSP)
	if err != nil {
		s.t.Errorf("request: %v", err)
		return nil, err
	}
	s.mu.Lock()
	s.asked = append(s.asked, r.Method+r.URL)
	answer := s.answers[q.SerialNumber.String()]
	s.mu.Unlock()
	if answer == nil {
		return s.good(q.SerialNumber, time.Hour), nil
	}
	return answer(r)
}

func (s *scene) requests() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.asked)
}

// answer has the certificate's responders answer so from now on; nil: as usual.
func (s *scene) answer(t Target, f func(responder.Request) (*responder.Answer, error)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.answers[t.Leaf.SerialNumber.String()] = f
}

// fail has them fail with a reason.
func (s *scene) fail(t Target, reason responder.Reason) {
	s.answer(t, func(r responder.Request) (*responder.Answer, error) {
		return nil, &responder.Failure{Reason: reason, URL: r.URL, Requests: 1}
	})
}

func (s *scene) good(serial *big.Int, valid time.Duration) *responder.Answer {
	now := time.Now()
	return s.respond(testca.Answer{Status: ocsp.Good, Serial: serial, ThisUpdate: now, NextUpdate: now.Add(valid)})
}

func (s *scene) respond(a testca.Answer) *responder.Answer {
	der, err := s.ca.Respond(a)
	if err != nil {
		s.t.Error(err)
	}
	return body(der)
}

func body(der []byte) *responder.Answer {
	return &responder.Answer{Body: der, Method: http.MethodGet, HTTPStatus: http.StatusOK, Requests: 1}
}

// target is a new certificate with one responder, or with these.
func (s *scene) target(name string, urls ...string) Target {
	s.t.Helper()
	if urls == nil {
		urls = []string{"http://ocsp.example.com"}
	}
	return s.issue(name, testca.IssueOptions{Responders: urls})
}

func (s *scene) issue(name string, o testca.IssueOptions) Target {
	s.t.Helper()
	if o.NotBefore.IsZero() {
		o.NotBefore = time.Now().AddDate(0, 0, -7)
	}
	return s.of(testcatest.Issue(s.t, s.ca, o, name+".example.com"), name)
}

// targets are n new certificates with one responder: each alone would have the
// CA write its index.
func (s *scene) targets(n int, url string) (list []Target) {
	s.t.Helper()
	all := testcatest.IssueMany(s.t, s.ca, testca.IssueOptions{Responders: []string{url}, NotBefore: time.Now().AddDate(0, 0, -7)}, n, "c%03d.example.com")
	for i, c := range all {
		list = append(list, s.of(c, fmt.Sprintf("c%03d", i)))
	}
	return list
}

func (s *scene) of(c *testca.Issued, name string) Target {
	return Target{
		ID: staple.ID(c.Leaf), Leaf: c.Leaf, Issuer: s.ca.Certificate(), Job: "edge", Name: name,
		Names: staple.Names(c.Leaf), MustStaple: staple.MustStaple(c.Leaf),
	}
}

// store puts a response into the store that another run has verified.
func (s *scene) store(t Target, a testca.Answer) record.Staple {
	s.t.Helper()
	a.Serial = t.Leaf.SerialNumber
	der := testcatest.Respond(s.t, s.ca, a)
	f, err := staple.Verify(der, t.Leaf, t.Issuer, staple.Options{Now: a.ThisUpdate})
	if err != nil {
		s.t.Fatal(err)
	}
	st := NewStaple(f, t, "http://ocsp.example.com")
	s.memory.staples[t.ID] = st
	return st
}

// held is the response that the fetcher itself keeps, if any.
func (s *scene) held(id string) *record.Staple {
	s.f.mu.Lock()
	defer s.f.mu.Unlock()
	if h := s.f.items[id].held; h != nil {
		return h.staple
	}
	return nil
}

func (s *scene) state(id string) State {
	for _, st := range s.f.States() {
		if st.ID == id {
			return st
		}
	}
	return State{}
}

// run runs the fetcher until the test, or what it returns, ends it.
func (s *scene) run(f *Fetcher) (stop func()) {
	ctx, cancel := context.WithCancel(s.t.Context())
	done := make(chan error, 1)
	// Ends with ctx.
	go func() { done <- f.Run(ctx) }()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			s.t.Error(err)
		}
	})
	s.t.Cleanup(stop)
	return stop
}

// settle waits in a bubble until every turn that was due is over, and what came of
// it is handed on.
func (s *scene) settle() {
	s.t.Helper()
	clocktest.Await(s.t, "all that was due is done", func() bool {
		s.f.mu.Lock()
		defer s.f.mu.Unlock()
		for _, it := range s.f.items {
			if it.busy || it.index >= 0 && !it.next.After(time.Now()) {
				return false
			}
		}
		return s.f.out.staples.empty() && s.f.out.troubles.empty()
	})
}

// serve is a real server on loopback.
func serve(t *testing.T, h http.Handler) *httptest.Server {
	t.Helper()
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	return server
}

var errDisk = errors.New("no space left on device")

func byName(results []Result) map[string]Result {
	m := map[string]Result{}
	for _, r := range results {
		m[r.Target.Name] = r
	}
	return m
}

func outcomes(results []Result) string {
	var s string
	for _, r := range results {
		s += fmt.Sprintf("%s:%s:%s ", r.Target.Name, r.Outcome, r.Reason)
	}
	return s
}

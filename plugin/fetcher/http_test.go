package fetcher

import (
	"fmt"
	"math/big"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/consul-ocsp/consul-ocsp/plugin/clocktest"
	"github.com/consul-ocsp/consul-ocsp/plugin/responder"
	"github.com/consul-ocsp/consul-ocsp/plugin/testca"
	"github.com/consul-ocsp/consul-ocsp/plugin/testca/testcatest"
)

// realScene asks over HTTP.
func realScene(t *testing.T) *scene {
	t.Helper()
	s := newScene(t)
	client := responder.New(responder.Config{})
	t.Cleanup(client.Close)
	s.f = New(Config{Store: s.memory, Publisher: s.memory, Client: client})
	return s
}

func TestARealResponderFromGoodToRevoked(t *testing.T) {
	s := realScene(t)
	var mu sync.Mutex
	asked := map[string]int{}
	server := serve(t, s.ca.Responder(testca.ResponderOptions{OnRequest: func(serial *big.Int, _ string) {
		mu.Lock()
		defer mu.Unlock()
		asked[serial.String()]++
	}}))
	var targets []Target
	for i := range 20 {
		targets = append(targets, s.target(fmt.Sprintf("c%02d", i), server.URL))
	}
	s.f.Set(targets)
	for _, r := range s.f.Pass(t.Context(), PassOptions{}) {
		if r.Outcome != Fetched || r.Staple == nil || r.Staple.Meta.Status != "good" || r.Staple.Meta.Responder != server.URL {
			t.Fatalf("%+v", r)
		}
		if _, err := Learn(*r.Staple, r.Target, time.Now()); err != nil {
			t.Fatal(err)
		}
	}
	if got := len(s.memory.publications()); got != 20 {
		t.Errorf("%d published", got)
	}
	mu.Lock()
	for serial, n := range asked {
		if n != 1 {
			t.Errorf("serial %s was asked for %d times", serial, n)
		}
	}
	mu.Unlock()
	if err := s.ca.Revoke("c07.example.com"); err != nil {
		t.Fatal(err)
	}
	// thisUpdate has whole seconds; in the same one revoked wins.
	for _, r := range s.f.Pass(t.Context(), PassOptions{Force: true}) {
		want := "good"
		if r.Target.Name == "c07" {
			want = "revoked"
		}
		if r.Staple.Meta.Status != want || r.Err != nil {
			t.Errorf("%s: %s, want %s (%v)", r.Target.Name, r.Staple.Meta.Status, want, r.Err)
		}
	}
}

func TestASlowHostDelaysNoOther(t *testing.T) {
	s := realScene(t)
	release := make(chan struct{})
	blocked := make(chan struct{}, 64)
	slow := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		blocked <- struct{}{}
		select {
		case <-release:
		case <-r.Context().Done():
		}
		http.Error(w, "late", http.StatusInternalServerError)
	}))
	fast := serve(t, s.ca.Responder(testca.ResponderOptions{}))
	var targets []Target
	for i := range 30 {
		hosts := []string{slow.URL}
		if i%2 == 1 {
			hosts = []string{fast.URL}
		}
		target := s.target(fmt.Sprintf("c%02d", i), hosts...)
		target.Settings = Settings{Concurrency: 2, Timeout: time.Minute}
		targets = append(targets, target)
	}
	s.f.Set(targets)
	stop := s.run(s.f)
	<-blocked
	<-blocked
	clocktest.Eventually(t, "all of the fast host's certificates are published while the slow host is stuck", func() bool {
		return len(s.memory.publications()) == 15
	})
	if n := len(blocked); n != 0 {
		t.Errorf("%d exchanges with the slow host more than its concurrency of 2", n)
	}
	for _, st := range s.f.States() {
		if (st.Outcome == Fetched) == st.Busy {
			t.Errorf("%+v", st)
		}
	}
	stop() // ends though the slow host is stuck
	close(release)
}

// A certificate whose first responder fails fast and whose second hangs waits in
// the second one's queue, not on a worker of the first.
func TestASlowSecondURLDelaysNoOther(t *testing.T) {
	s := realScene(t)
	blocked := make(chan struct{}, 64)
	slow := serve(t, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		blocked <- struct{}{}
		<-r.Context().Done()
	}))
	real := s.ca.Responder(testca.ResponderOptions{})
	first := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, "/refuse") {
			http.Error(w, "not here", http.StatusNotFound)
			return
		}
		real.ServeHTTP(w, r)
	}))
	var targets []Target
	for i := range 8 {
		target := s.target(fmt.Sprintf("both%d", i), first.URL+"/refuse", slow.URL)
		target.MustStaple = true // goes first
		target.Settings = Settings{Concurrency: 1, Timeout: time.Minute}
		targets = append(targets, target)
	}
	one := s.target("one", first.URL)
	one.Settings = Settings{Concurrency: 1, Timeout: time.Minute}
	s.f.Set(append(targets, one))
	s.run(s.f)
	<-blocked
	clocktest.Eventually(t, "the certificate of the first host alone is published", func() bool {
		return len(s.memory.publications()) == 1
	})
}

func TestFaultsOverHTTPKeepWhatIsHeld(t *testing.T) {
	s := realScene(t)
	other := testcatest.Init(t, testca.InitOptions{Name: "another CA"})
	html := func(status int) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(status)
			w.Write([]byte("<html>"))
		}
	}
	for name, c := range map[string]struct {
		h      func(t Target) http.HandlerFunc
		reason string
	}{
		"html": {func(Target) http.HandlerFunc { return html(200) }, "not-ocsp"},
		"404":  {func(Target) http.HandlerFunc { return html(404) }, "http-status"},
		"silent": {func(Target) http.HandlerFunc {
			return func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }
		}, "timeout"},
		"metadata": {func(Target) http.HandlerFunc { return redirect("http://169.254.169.254/latest") }, "address-forbidden"},
		"loopback": {func(Target) http.HandlerFunc { return redirect("http://127.0.0.1:1/") }, "address-forbidden"},
		"another CA": {func(target Target) http.HandlerFunc {
			return signed(t, other, testca.Answer{Serial: target.Leaf.SerialNumber, Issuer: target.Issuer, NextUpdate: time.Now().Add(time.Hour)})
		}, "signer"},
		"another serial": {func(Target) http.HandlerFunc {
			return signed(t, s.ca, testca.Answer{Serial: big.NewInt(1), NextUpdate: time.Now().Add(time.Hour)})
		}, "serial"},
		"bad signature": {func(target Target) http.HandlerFunc {
			return signed(t, s.ca, testca.Answer{Serial: target.Leaf.SerialNumber, NextUpdate: time.Now().Add(time.Hour), BadSignature: true})
		}, "signature"},
	} {
		t.Run(name, func(t *testing.T) {
			var h http.HandlerFunc
			server := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { h(w, r) }))
			a := s.target("a", server.URL)
			a.Settings.Timeout = time.Second
			h = c.h(a)
			held := s.store(a, testca.Answer{ThisUpdate: time.Now().Add(-time.Minute), NextUpdate: time.Now().Add(time.Hour)})
			s.f.Set([]Target{a})
			before := s.f.Counts().Failures[c.reason]
			r := s.f.Pass(t.Context(), PassOptions{Force: true})[0]
			if r.Outcome != Failed || r.Reason != c.reason || !r.Kept {
				t.Errorf("%s %s kept %v, want failed %s: %v", r.Outcome, r.Reason, r.Kept, c.reason, r.Err)
			}
			if st, _ := s.memory.stored(a.ID); st.Meta.SHA256 != held.Meta.SHA256 {
				t.Error("what was held is gone")
			}
			if trouble, _ := s.memory.trouble(a.ID); trouble.Reason != c.reason {
				t.Errorf("trouble %+v", trouble)
			}
			if s.f.Counts().Failures[c.reason] != before+1 {
				t.Errorf("counts %+v", s.f.Counts())
			}
		})
	}
	if n := len(s.memory.publications()); n != 0 {
		t.Errorf("%d published", n)
	}
}

func redirect(to string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, to, http.StatusFound) }
}

func signed(t *testing.T, ca *testca.CA, a testca.Answer) http.HandlerFunc {
	t.Helper()
	der := testcatest.Respond(t, ca, a)
	return func(w http.ResponseWriter, _ *http.Request) { w.Write(der) }
}

func TestAnnouncedCertificatesDoNotReachLoopback(t *testing.T) {
	s := realScene(t)
	var asked atomic.Bool
	server := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked.Store(true)
		s.ca.Responder(testca.ResponderOptions{}).ServeHTTP(w, r)
	}))
	plain, allowed, private, configured := s.target("a-plain", server.URL), s.target("b-allowed", server.URL), s.target("c-private", server.URL), s.target("d-configured")
	allowed.Settings.AllowedResponders = []string{"127.0.0.1"}
	private.Settings.AllowPrivateAddresses = true
	configured.Settings.Responders = []string{server.URL}
	for _, target := range []*Target{&plain, &allowed, &private, &configured} {
		target.Announced = true
	}
	s.f.Set([]Target{plain})
	if got := outcomes(s.f.Pass(t.Context(), PassOptions{})); got != "a-plain:failed:address-forbidden " || asked.Load() {
		t.Errorf("%s, asked %v", got, asked.Load())
	}
	s.f.Set([]Target{allowed, private, configured})
	if got := outcomes(s.f.Pass(t.Context(), PassOptions{})); got != "b-allowed:fetched: c-private:fetched: d-configured:fetched: " {
		t.Error(got)
	}
}

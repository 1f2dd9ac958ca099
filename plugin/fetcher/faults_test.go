package fetcher

import (
	"context"
	"errors"
	"net"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	"golang.org/x/net/http/httpproxy"

	"github.com/consul-ocsp/consul-ocsp/plugin/clocktest"
	"github.com/consul-ocsp/consul-ocsp/plugin/logtest"
	"github.com/consul-ocsp/consul-ocsp/plugin/record"
	"github.com/consul-ocsp/consul-ocsp/plugin/responder"
	"github.com/consul-ocsp/consul-ocsp/plugin/status"
	"github.com/consul-ocsp/consul-ocsp/plugin/testca"
)

// expectation is what has to become of one fault of a responder, when a good
// response is held. The zero one is that the answer is accepted.
type expectation struct {
	// reason is why the answer is refused; "": it is accepted.
	reason string
	// outcome and status are those of the turn and of what is held after it;
	// "": failed and good after a refusal, else fetched and good.
	outcome, status string
	// unstaplable is what is recorded of HAProxy.
	unstaplable []string
	// urls are the certificate's, with ADDRESS for the responder's; nil: one of
	// http.
	urls []string
	// settings are those of the target besides the timeout.
	settings Settings
	// requests is how many HTTP requests it takes, where that matters.
	requests uint64
	// remark is what is said of an answer that is accepted all the same.
	remark string
	// failed is a failure on the way to an answer.
	failed string
	// bare is the state where nothing was held, if another one than else.
	bare string
}

// state is what status calls a certificate after the fault, "" where it has
// nothing to say of it.
func (e expectation) state(holds bool) string {
	switch {
	case e.bare != "" && !holds:
		return e.bare
	case e.outcome == NotApplicable && holds:
		return status.OK
	case e.outcome == NotApplicable:
		return ""
	case e.reason != "" && holds:
		return status.Failing
	case e.reason != "":
		return status.Missing
	case e.status == "revoked":
		return status.Revoked
	case e.unstaplable != nil:
		return status.Unstaplable
	}
	return status.OK
}

func (e expectation) withDefaults() expectation {
	if e.outcome == "" {
		e.outcome = map[bool]string{true: Fetched, false: Failed}[e.reason == ""]
	}
	if e.status == "" {
		e.status = "good"
	}
	if e.urls == nil {
		e.urls = []string{"http://ADDRESS"}
	}
	return e
}

// expectations has a row for each fault that testca knows.
func expectations() map[string]expectation {
	https, private := []string{"https://ADDRESS"}, Settings{AllowPrivateAddresses: true}
	unstaplable := func(reasons ...string) expectation { return expectation{unstaplable: reasons} }
	revoked := expectation{status: "revoked", unstaplable: []string{"multiple-responses"}, remark: "odd-response"}
	return map[string]expectation{
		"refused": {reason: "refused"}, "reset": {reason: "reset"}, "closed": {reason: "reset"}, "silent": {reason: "timeout"},
		"tls-alert": {reason: "tls", urls: https}, "tls-untrusted": {reason: "tls", urls: https},

		"slow": {reason: "timeout"}, "endless": {reason: "too-large"}, "oversized": {reason: "too-large"},
		"truncated": {reason: "truncated"}, "truncated-der": {reason: "truncated"},
		"empty": {reason: "empty"}, "zero": {reason: "not-ocsp"}, "html": {reason: "not-ocsp"}, "wrong-type": {remark: "content-type"},

		"404": {reason: "http-status"}, "500": {reason: "http-status"}, "429": {reason: "http-status", requests: 1}, "503": {reason: "http-status", requests: 1},
		"304": {reason: "not-modified", requests: 2}, "proxy-error": {reason: "http-status"},
		"401-unauthorized": {reason: "unauthorized"}, "500-good": {},
		"redirect": {settings: private}, "redirect-loop": {reason: "redirect", settings: private},
		"redirect-other":    {reason: "redirect", settings: private},
		"redirect-metadata": {reason: "address-forbidden", settings: private},
		"get-only":          {}, "post-only": {requests: 2}, "get-mangled": {requests: 2},
		"stale-get": {requests: 3}, "older-get": {bare: status.Ending}, "max-age": {requests: 1},

		"dns": {reason: "dns", urls: []string{"http://ocsp.invalid"}}, "first-dead": {failed: "refused", urls: []string{"http://127.0.0.1:1", "http://ADDRESS"}},
		"url-ldap": {reason: "bad-url", urls: []string{"ldap://ocsp.example.com/"}}, "url-malformed": {reason: "bad-url", urls: []string{"http://[::1"}},
		"url-short": {reason: "bad-url", urls: []string{"h"}}, "url-none": {reason: "no-responder", outcome: NotApplicable, urls: []string{}},

		"malformed-request": {reason: "malformed-request"}, "internal-error": {reason: "internal-error"}, "try-later": {reason: "try-later"},
		"sig-required": {reason: "sig-required"}, "unauthorized": {reason: "unauthorized"}, "unknown-code": {reason: "unknown-code"},
		"no-response-bytes": {reason: "malformed"},

		"ber-indefinite": {reason: "not-ocsp"}, "ber-length": {reason: "malformed"}, "trailing": {reason: "malformed"}, "unsigned": {reason: "malformed"},
		"bad-signature": {reason: "signature"}, "sha1-signature": {reason: "sha1-signature"},
		"stranger": {reason: "signer"}, "stranger-same-name": {reason: "signer"}, "responder-id": {reason: "responder-id"},
		"delegate-no-purpose": {reason: "delegate-purpose"}, "delegate-ca": {reason: "delegate-ca"}, "delegate-key-usage": {reason: "delegate-key-usage"},
		"delegate-expired": {reason: "signer-dates"}, "delegate-future": {reason: "signer-dates"}, "delegate-critical": {reason: "delegate-extension"},
		"wrong-serial": {reason: "serial"}, "issuer-hash": {reason: "issuer-hash"}, "update-order": {reason: "update-order"}, "expired": {reason: "expired"},
		"this-update-ahead": {reason: "not-yet-valid"}, "produced-ahead": {reason: "produced-ahead"},
		"critical-response": {reason: "critical-extension"}, "critical-single": {reason: "critical-extension"},

		"issuer-embedded": {}, "certificates": {}, "delegate": {}, "delegate-no-nocheck": {remark: "odd-response"}, "same": {}, "past-certificate": {}, "by-key": {},
		"ed25519": {}, "rsa-pss": {}, "nonce": {}, "sha256-certid": unstaplable("certid-not-sha1"),

		"good-revoked": revoked, "revoked-good": revoked, "unknown-revoked": revoked, "good-unknown": {reason: "unknown", requests: 2},

		"no-next-update": {unstaplable: []string{"no-next-update"}, remark: "odd-response"}, "multiple": unstaplable("multiple-responses"),
		"certid-sha384": unstaplable("certid-not-sha1", "certid-too-long"), "certid-no-null": unstaplable("certid-parameters"),

		"unknown": {reason: "unknown", requests: 2}, "unknown-get": {requests: 2},
		"date-ahead": {remark: "clock"}, "date-behind": {remark: "clock"},
	}
}

// TestEveryFault has each fault of a responder on a real connection: what must
// be refused leaves what is held as it was, or nothing where nothing is held, and
// what must be accepted replaces it.
func TestEveryFault(t *testing.T) {
	t.Parallel()
	rows := expectations()
	for _, fault := range testca.Faults() {
		row, ok := rows[fault.Name]
		if !ok {
			t.Errorf("%s: not expected", fault.Name)
			continue
		}
		delete(rows, fault.Name)
		t.Run(fault.Name, func(t *testing.T) {
			t.Parallel()
			for name, holds := range map[string]bool{"held": true, "nothing held": false} {
				t.Run(name, func(t *testing.T) {
					t.Parallel()
					checkFault(t, fault, row.withDefaults(), holds)
				})
			}
		})
	}
	for name := range rows {
		t.Errorf("%s: no such fault", name)
	}
}

func checkFault(t *testing.T, fault testca.Fault, want expectation, holds bool) {
	s := faultScene(t)
	log := &logtest.Text{}
	s.f.c.Logger = hclog.New(&hclog.LoggerOptions{Output: log, Level: hclog.Info, DisableTime: true})
	a := s.faultTarget(fault, want)
	var held record.Staple
	if holds {
		held = s.store(a, testca.Answer{ThisUpdate: time.Now().Add(-time.Minute), NextUpdate: time.Now().Add(time.Hour)})
	}
	s.f.Set([]Target{a})
	r := s.f.Pass(t.Context(), PassOptions{Force: true})[0]

	if r.Outcome != want.outcome || r.Reason != want.reason {
		t.Fatalf("%s %q, want %s %q: %v", r.Outcome, r.Reason, want.outcome, want.reason, r.Err)
	}
	st, _ := s.memory.stored(a.ID)
	switch published := len(s.memory.publications()); {
	case want.reason == "" && (published != 1 || st.Meta.SHA256 == held.Meta.SHA256):
		t.Errorf("what was accepted did not replace what was held; %d published", published)
	case want.reason != "" && (published != 0 || st.Meta.SHA256 != held.Meta.SHA256):
		t.Errorf("what was refused replaced what was held; %d published", published)
	case want.reason == "" && (st.Meta.Status != want.status || !slices.Equal(st.Meta.Unstaplable, want.unstaplable)):
		t.Errorf("%s, unstaplable %q; want %s, %q", st.Meta.Status, st.Meta.Unstaplable, want.status, want.unstaplable)
	}
	if st.Meta.Until.After(a.Leaf.NotAfter) {
		t.Errorf("served until %v, after the certificate's end", st.Meta.Until)
	}
	s.checkTold(t, a, want, r, holds, log.Take())
}

// checkTold looks at what a turn leaves for operators: trouble, status, counts,
// log. One word is the reason in all of them.
func (s *scene) checkTold(t *testing.T, a Target, want expectation, r Result, holds bool, log string) {
	t.Helper()
	failed := want.outcome == Failed
	if trouble, ok := s.memory.trouble(a.ID); ok != failed || failed && (trouble.Reason != want.reason || r.Kept != holds) {
		t.Errorf("trouble %+v, kept %v", trouble, r.Kept)
	}
	if now := time.Now(); want.outcome != NotApplicable && (!r.Next.After(now) || r.Next.After(now.Add(time.Hour))) {
		t.Errorf("the next turn is at %v, not within max_delay", r.Next)
	}
	s.checkStatus(t, want, holds)
	s.checkCounts(t, want)
	lines := [][]string{{"[INFO]", "new response", "status=" + want.status}}
	switch {
	case failed:
		lines[0] = []string{"[WARN]", "no new response", "certificate=edge/a", "reason=" + want.reason, "kept=" + strconv.FormatBool(holds)}
	case want.outcome == NotApplicable:
		lines[0] = []string{"[INFO]", "nothing to fetch", "reason=" + want.reason}
	case want.status == "revoked":
		lines[0] = []string{"[ERROR]", "certificate is revoked"}
	case holds:
		lines = nil // what happens every hour is no news
	}
	if want.remark != "" {
		lines = append(lines, []string{"[WARN]", "host=", "reason=" + want.remark})
	}
	for _, line := range lines {
		found := false
		for text := range strings.Lines(log) {
			found = found || containsAll(text, line)
		}
		if !found {
			t.Errorf("no line with %q in\n%s", line, log)
		}
	}
}

// checkStatus looks at what `status` says.
func (s *scene) checkStatus(t *testing.T, want expectation, holds bool) {
	t.Helper()
	metas := map[string]record.Meta{}
	for id, st := range s.memory.staples {
		metas[id] = st.Meta
	}
	state, reason := "", ""
	for _, st := range status.FromStore(metas, s.memory.troubles, nil, nil, time.Now()).Staples {
		state, reason = st.State, st.Reason
	}
	wantReason := want.reason
	if want.outcome == NotApplicable {
		wantReason = ""
	}
	if state != want.state(holds) || reason != wantReason {
		t.Errorf("status says %q %q, want %q %q", state, reason, want.state(holds), wantReason)
	}
}

// checkCounts looks at the totals: the turn, its failures under the reason and no
// other, what was odd.
func (s *scene) checkCounts(t *testing.T, want expectation) {
	t.Helper()
	counts := s.f.Counts()
	failed := want.failed
	if want.outcome == Failed {
		failed = want.reason
	}
	if counts.Turns[want.outcome] != 1 || len(counts.Turns) != 1 {
		t.Errorf("turns %v, want one that is %s", counts.Turns, want.outcome)
	}
	if len(counts.Failures) > 1 || (failed != "") != (counts.Failures[failed] > 0) {
		t.Errorf("failures %v, want %q alone", counts.Failures, failed)
	}
	if len(counts.Remarks) > 1 || (want.remark != "") != (counts.Remarks[want.remark] > 0) {
		t.Errorf("remarks %v, want %q alone", counts.Remarks, want.remark)
	}
	if want.requests > 0 && counts.Requests != want.requests {
		t.Errorf("%d requests, want %d", counts.Requests, want.requests)
	}
}

// TestAFaultThatPasses has a responder that goes wrong once.
func TestAFaultThatPasses(t *testing.T) {
	t.Parallel()
	s := faultScene(t)
	a := s.target("a", "http://"+s.serveFault("unauthorized@1"))
	s.f.Set([]Target{a})
	for _, want := range []string{"a:failed:unauthorized ", "a:fetched: "} {
		if got := outcomes(s.f.Pass(t.Context(), PassOptions{Force: true})); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
	if trouble, ok := s.memory.trouble(a.ID); ok {
		t.Errorf("trouble that is over: %+v", trouble)
	}
}

// TestTheSameAnswerAgain publishes nothing twice.
func TestTheSameAnswerAgain(t *testing.T) {
	t.Parallel()
	s := faultScene(t)
	a := s.target("a", "http://"+s.serveFault("same"))
	s.f.Set([]Target{a})
	for _, want := range []string{"a:fetched: ", "a:unchanged: "} {
		if got := outcomes(s.f.Pass(t.Context(), PassOptions{Force: true})); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
	if n := len(s.memory.publications()); n != 1 {
		t.Errorf("%d published", n)
	}
}

// faultTarget is a certificate with a responder that has the fault.
func (s *scene) faultTarget(fault testca.Fault, want expectation) Target {
	s.t.Helper()
	name := fault.Name
	if fault.Group == "url" {
		name = "" // the certificate's
	}
	address := s.serveFault(name)
	if name == "refused" {
		clocktest.Eventually(s.t, "the port is closed", func() bool {
			conn, err := net.Dial("tcp", address)
			if err == nil {
				conn.Close()
			}
			return err != nil
		})
	}
	urls := make([]string, len(want.urls))
	for i, url := range want.urls {
		urls[i] = strings.Replace(url, "ADDRESS", address, 1)
	}
	a := s.target("a", urls...)
	a.Settings = want.settings
	a.Settings.Timeout = 30 * time.Second
	if want.reason == "timeout" {
		a.Settings.Timeout = time.Second
	}
	return a
}

// faultScene asks over HTTP, and no name server.
func faultScene(t *testing.T) *scene {
	t.Helper()
	s := newScene(t)
	client := responder.New(responder.Config{Proxy: &httpproxy.Config{}, Resolver: &net.Resolver{
		PreferGo: true,
		Dial:     func(context.Context, string, string) (net.Conn, error) { return nil, errors.New("no name server") },
	}})
	t.Cleanup(client.Close)
	s.f = New(Config{Store: s.memory, Publisher: s.memory, Client: client})
	return s
}

// serveFault is the CA's responder with a fault, until the test ends.
func (s *scene) serveFault(name string) (address string) {
	s.t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		s.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(s.t.Context())
	done := make(chan error, 1)
	// Ends with ctx.
	go func() { done <- s.ca.Serve(ctx, l, testca.ResponderOptions{Fault: name}) }()
	s.t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			s.t.Error(err)
		}
	})
	return l.Addr().String()
}

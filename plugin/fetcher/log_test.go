package fetcher

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/go-hclog"
	"golang.org/x/crypto/ocsp"

	"github.com/consul-ocsp/consul-ocsp/plugin/clocktest"
	"github.com/consul-ocsp/consul-ocsp/plugin/logtest"
	"github.com/consul-ocsp/consul-ocsp/plugin/responder"
	"github.com/consul-ocsp/consul-ocsp/plugin/testca"
)

func TestWhatIsLogged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScene(t)
		log := &logtest.Text{}
		s.f.c.Logger = hclog.New(&hclog.LoggerOptions{Output: log, Level: hclog.Info, DisableTime: true})
		a, plain, evil := s.target("www"), s.issue("plain", testca.IssueOptions{}), s.target("evil", "http://evil.example.com")
		evil.Announced, evil.Name = true, "x\n[ERROR] all is lost"
		s.fail(evil, responder.DNS)
		want := func(what string, parts ...string) {
			t.Helper()
			synctest.Wait()
			got := log.Take()
			if n := strings.Count(got, "\n"); n != len(parts) {
				t.Errorf("%s: %d lines, want %d:\n%s", what, n, len(parts), got)
			}
			for _, part := range parts {
				found := false
				for line := range strings.SplitSeq(got, "\n") {
					found = found || containsAll(line, strings.Split(part, "|"))
				}
				if !found {
					t.Errorf("%s: no line with %q in\n%s", what, part, got)
				}
			}
		}
		s.f.Set([]Target{a, plain, evil})
		s.run(s.f)
		s.settle()
		want("start", "[INFO]|new response|certificate=edge/www|status=good|responder=http://ocsp.example.com",
			"[INFO]|nothing to fetch|certificate=edge/plain|reason=no-responder",
			"[WARN]|no new response|certificate="+evil.ID+"|reason=dns|kept=false")
		s.f.Set([]Target{a, plain})
		clocktest.Pass(5 * time.Minute)
		want("nothing happens")
		s.fail(a, responder.Refused)
		clocktest.Pass(50 * time.Minute)
		want("many failures of one kind", "[WARN]|edge/www|reason=refused|kept=true")
		s.fail(a, responder.Timeout)
		clocktest.Pass(5 * time.Minute)
		want("failures of another kind", "[WARN]|edge/www|reason=timeout")
		revoked := s.respond(testca.Answer{Status: ocsp.Revoked, Serial: a.Leaf.SerialNumber, NextUpdate: time.Now().Add(24 * time.Hour)})
		s.answer(a, func(responder.Request) (*responder.Answer, error) { return revoked, nil })
		clocktest.Pass(2 * time.Hour)
		want("revoked", "[ERROR]|certificate is revoked|edge/www|revoked_at=|failures_before=")
	})
}

func containsAll(line string, parts []string) bool {
	for _, p := range parts {
		if !strings.Contains(line, p) {
			return false
		}
	}
	return true
}

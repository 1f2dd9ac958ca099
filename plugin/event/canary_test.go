package event

import (
	"strings"
	"testing"
	"time"

	"github.com/consul-ocsp/consul-ocsp/plugin/clocktest"
)

// What is revoked by plan is no news before it is no longer by plan. What fails of
// a canary is told as often as it fails, and changes nothing that was told of its
// certificate.
func TestPlannedIsNoNews(t *testing.T) {
	h := newHook(t, nil)
	m := &memory{}
	s := run(t, m, Settings{Webhook: h.URL, Events: []string{Revoked, Recovered, Canary}})
	planned := revoked(time.Hour)
	planned.Planned = true
	s.see(planned)
	s.Canary(CanaryNews{Job: "edge", Name: "www", ID: planned.ID, Reason: "canary-unseen", Error: "node-2:\x1b refused"})
	s.see(planned)
	s.Canary(CanaryNews{Job: "edge", Name: "www", ID: planned.ID})
	clocktest.Eventually(t, "both", func() bool { return h.kinds() == "canary edge/www, canary edge/www" })
	if e := h.events[0]; e.State != "failing" || e.Reason != "canary-unseen" || e.Error != "node-2:? refused" || !strings.Contains(e.Message, "node-2:? refused") {
		t.Errorf("%+v", e)
	}
	if e := h.events[1]; e.State != "ok" || e.Reason != "" {
		t.Errorf("%+v", e)
	}
	if state := m.state(planned.ID); state != "" {
		t.Errorf("it counts as told that it is %s", state)
	}
	planned.Planned = false
	s.see(planned)
	clocktest.Eventually(t, "the alarm", func() bool { return strings.HasSuffix(h.kinds(), ", revoked edge/www") })
}

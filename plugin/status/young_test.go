package status

import (
	"strings"
	"testing"
	"time"

	"github.com/consul-ocsp/consul-ocsp/plugin/record"
	"github.com/consul-ocsp/consul-ocsp/plugin/testca"
	"github.com/consul-ocsp/consul-ocsp/plugin/testca/testcatest"
)

// A certificate that is as new as that warns: its first fetch may still be
// running, and its CA may not know it yet. After a while it alarms, if it must be
// stapled sooner than otherwise.
func TestYoungCertificatesDoNotAlarm(t *testing.T) {
	ca := testcatest.Init(t, testca.InitOptions{})
	url := []string{"http://ocsp.example.net"}
	const old = time.Hour
	for _, c := range []struct {
		name   string
		must   bool
		reason string        // of the trouble; "": there is none
		age    time.Duration // of the trouble, or since when the node has waited; 0: it has not said
		cut    bool          // the node is in more trouble than it lists
		want   int
	}{
		{"announced", false, "", 0, false, CheckWarning},
		{"announced, and its node waits", false, "", time.Second, false, CheckWarning},
		{"announced, and nobody has led for an hour", false, "", old, false, CheckWarning},
		{"must staple, announced", true, "", 0, false, CheckWarning},
		{"must staple, announced, one of many", true, "", 0, true, CheckCritical},
		{"must staple, its node waits", true, "", time.Second, false, CheckWarning},
		{"must staple, its node has waited", true, "", Patience, false, CheckCritical},
		{"fails", false, "refused", time.Second, false, CheckCritical},
		{"must staple, fails", true, "refused", time.Second, false, CheckCritical},
		{"unauthorized", false, "unauthorized", settling - time.Second, false, CheckWarning},
		{"unauthorized for long", false, "unauthorized", settling, false, CheckCritical},
		{"must staple, unauthorized", true, "unauthorized", time.Second, false, CheckCritical},
		{"unknown", false, "unknown", settling - time.Second, false, CheckWarning},
	} {
		t.Run(c.name, func(t *testing.T) {
			now := time.Now().Truncate(time.Second)
			id, announced := announcement(t, ca, testca.IssueOptions{Responders: url, MustStaple: c.must}, "new")
			n := node("n", time.Second, func(n *record.Node) { n.Seen = now })
			if c.age > 0 {
				n.Trouble = []record.NodeTrouble{{ID: id, Job: "edge", Name: "new", Reason: "waiting", Since: now.Add(-c.age)}}
			}
			if c.cut {
				n.Troubles = record.MaxNodeTrouble + 1
			}
			s := &record.Snapshot{Waiting: map[string]record.Certificate{id: announced}, Nodes: map[string]record.Node{"n": n}}
			if c.reason != "" {
				s.Waiting = nil
				s.Troubles = map[string]record.Trouble{id: {Reason: c.reason, Since: now.Add(-c.age), Failures: 1, Job: "edge", Name: "new", MustStaple: c.must}}
			}
			r := FromSnapshot(s, now)
			code, lines := r.Check(0.25, 0.1)
			if code != c.want || !strings.Contains(strings.Join(lines, "\n"), "edge/new") {
				t.Errorf("code %d, want %d: %q", code, c.want, lines)
			}
			if r.Staples[0].State != Missing {
				t.Errorf("it is %q, not missing", r.Staples[0].State)
			}
		})
	}
}

// Without Consul, what is configured and came to nothing is missing.
func TestLackingIsMissing(t *testing.T) {
	ca := testcatest.Init(t, testca.InitOptions{})
	id, c := announcement(t, ca, testca.IssueOptions{MustStaple: true}, "new")
	r := FromStore(nil, nil, map[string]record.Certificate{id: c}, nil, time.Now())
	if len(r.Staples) != 1 || r.Staples[0].State != Missing || r.Staples[0].Reason != waiting || !r.Staples[0].MustStaple || r.Staples[0].Name != "new" {
		t.Errorf("%+v", r.Staples)
	}
}

package plugin

import (
	"strings"
	"testing"
	"time"

	"github.com/consul-ocsp/consul-ocsp/consul"
	"github.com/consul-ocsp/consul-ocsp/plugin/record"
	"github.com/consul-ocsp/consul-ocsp/plugin/writer"
)

func TestHealth(t *testing.T) {
	now := time.Date(2026, 11, 21, 9, 0, 0, 0, time.UTC)
	// A staple that was made for 100 minutes, with so many left.
	left := func(name string, minutes int) writer.State {
		until := now.Add(time.Duration(minutes) * time.Minute)
		return writer.State{Job: "edge", Name: name, Applied: writer.Info{
			Status: "good", ThisUpdate: until.Add(-100 * time.Minute), Until: until,
		}}
	}
	changed := func(s writer.State, f func(*writer.State)) writer.State { f(&s); return s }
	revoked := changed(left("revoked", 50), func(s *writer.State) { s.Applied.Status = "revoked" })
	kept := changed(left("kept", 50), func(s *writer.State) { s.Held.Status = "revoked" })
	waiting := writer.State{Job: "edge", Name: "new", Reason: "waiting", Error: "no verified response yet"}
	must := changed(waiting, func(s *writer.State) { s.MustStaple = true })
	unpushed := changed(left("api", 50), func(s *writer.State) {
		s.Targets = []writer.TargetState{{Name: "haproxy", Reason: "socket", Error: "no such file"}}
	})
	unread := []record.NodeTrouble{{Job: "edge", Name: "old", Reason: "certificate", Error: "no PEM"}}

	for name, test := range map[string]struct {
		states   []writer.State
		troubles []record.NodeTrouble
		sync     time.Duration // ago
		want     string
	}{
		"nothing to staple": {nil, nil, time.Minute, "passing: in sync with consul, no certificates of its own"},
		"all well":          {[]writer.State{left("a", 50), left("b", 26)}, nil, time.Minute, "passing: all certificates are stapled: 2"},
		"a quarter left":    {[]writer.State{left("a", 50), left("b", 24)}, nil, 0, "warning: edge/b: its staple ends at 2026-11-21T09:24:00Z"},
		"a tenth left":      {[]writer.State{left("a", 24), left("b", 9)}, nil, 0, "critical: edge/b: its staple ends at 2026-11-21T09:09:00Z; 2 findings in all"},
		"ended":             {[]writer.State{left("a", 0)}, nil, 0, "critical: edge/a: its staple ended at 2026-11-21T09:00:00Z"},
		"revoked":           {[]writer.State{unpushed, revoked}, nil, 0, "critical: edge/revoked: the certificate is revoked; 2 findings in all"},
		"good one kept":     {[]writer.State{kept}, nil, 0, "critical: edge/kept: the certificate is revoked"},
		"waiting":           {[]writer.State{waiting}, nil, 0, "warning: edge/new: no staple: waiting: no verified response yet"},
		"must-staple":       {[]writer.State{must}, nil, 0, "critical: edge/new: must be stapled and is not: waiting: no verified response yet"},
		"must-staple, new":  {[]writer.State{changed(must, func(s *writer.State) { s.Since = now.Add(-time.Second) })}, nil, 0, "warning: edge/new: no staple: waiting: no verified response yet"},
		"not pushed":        {[]writer.State{unpushed}, nil, 0, "warning: edge/api: socket: haproxy: no such file"},
		"not readable":      {[]writer.State{left("a", 50)}, unread, 0, "warning: edge/old: certificate: no PEM"},
		"sync 5m ago":       {nil, nil, 5 * time.Minute, "passing: in sync with consul, no certificates of its own"},
		"sync 6m ago":       {nil, nil, 6 * time.Minute, "warning: no sync with consul since 2026-11-21T08:54:00Z"},
		"sync 2h ago":       {[]writer.State{waiting}, nil, 2 * time.Hour, "critical: no sync with consul since 2026-11-21T07:00:00Z; 2 findings in all"},
		"worst first":       {[]writer.State{must, left("a", 0)}, unread, 6 * time.Minute, "critical: edge/new: must be stapled"},
	} {
		t.Run(name, func(t *testing.T) {
			status, output := health(test.states, test.troubles, now.Add(-test.sync), now)
			if got := status + ": " + output; !strings.HasPrefix(got, test.want) || name != "worst first" && got != test.want {
				t.Errorf("got  %s\nwant %s", got, test.want)
			}
		})
	}
	if status, _ := health([]writer.State{{Applied: writer.Info{Status: "good", ThisUpdate: now, Until: now.Add(-1)}}}, nil, now, now); status != consul.Critical {
		t.Error("a life that ends before it begins is none")
	}
}

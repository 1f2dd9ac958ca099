package plugin

import (
	"bytes"
	"strings"
	"testing"

	"github.com/hashicorp/go-hclog"

	"github.com/consul-ocsp/consul-ocsp/plugin/writer"
)

// A response is said once every target has it; what is in its way, once for each
// reason; what was held at the start, never.
func TestUpdateLogFollowsAFile(t *testing.T) {
	var out bytes.Buffer
	on := true
	l := &updateLog{logger: hclog.New(&hclog.LoggerOptions{Output: &out, DisableTime: true}), on: func() bool { return on }}
	state := func(held, target, reason string) writer.State {
		s := writer.State{Path: "/certs/www.pem", Loaded: "a", Targets: []writer.TargetState{{SHA256: target, Reason: reason}}}
		s.Applied.SHA256 = held
		return s
	}
	l.applied(state("a", "", ""))
	l.applied(state("a", "a", ""))
	l.applied(state("b", "a", ""))
	l.applied(state("b", "a", "socket"))
	l.applied(state("b", "a", "socket"))
	l.applied(state("b", "b", ""))
	l.applied(state("b", "b", ""))
	refused := state("b", "b", "")
	refused.Refused = &writer.Refused{SHA256: "c", Reason: "signature"}
	l.applied(refused)
	l.applied(refused)
	on = false
	l.applied(state("d", "d", ""))
	on = true
	odd := state("b", "b", "")
	odd.Path = "/certs/a\nb.pem"
	l.applied(odd)
	want := []string{
		`[INFO]  <OCSP-UPDATE> /certs/www.pem 5 "Error during insertion" 1 0`,
		`[INFO]  <OCSP-UPDATE> /certs/www.pem 1 "Update successful" 1 1`,
		`[INFO]  <OCSP-UPDATE> /certs/www.pem 4 "OCSP response check failure" 2 1`,
		`[INFO]  <OCSP-UPDATE> /certs/a?b.pem 1 "Update successful" 0 1`,
	}
	if got := strings.TrimSpace(out.String()); got != strings.Join(want, "\n") {
		t.Errorf("it says\n%s\nand not\n%s", got, strings.Join(want, "\n"))
	}
}

package status

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/consul-ocsp/consul-ocsp/plugin/record"
	"github.com/consul-ocsp/consul-ocsp/plugin/testca"
	"github.com/consul-ocsp/consul-ocsp/plugin/testca/testcatest"
)

// announcement is what a node says of a certificate that a CA made just now.
func announcement(t *testing.T, ca *testca.CA, o testca.IssueOptions, name string) (id string, c record.Certificate) {
	t.Helper()
	issued := testcatest.Issue(t, ca, o, name+".example.com")
	c = record.Certificate{Leaf: issued.Leaf.Raw, Issuer: ca.Certificate().Raw, Job: "edge", Name: name}
	return c.ID(), c
}

// What must be stapled comes first of what is wrong, in the table and in what
// monitoring reads, also where it never had a response; and what was announced
// and came to nothing is missing.
func TestMustStapleComesFirst(t *testing.T) {
	ca := testcatest.Init(t, testca.InitOptions{})
	long := time.Now().Add(-2 * Patience)
	s := &record.Snapshot{
		Metas: map[string]record.Meta{},
		Troubles: map[string]record.Trouble{
			id("b"): {Reason: "timeout", Job: "edge", Name: "failing"},
			id("c"): {Reason: "timeout", Job: "edge", Name: "must", MustStaple: true},
		},
		Waiting: map[string]record.Certificate{},
		Nodes: map[string]record.Node{"n": node("n", time.Minute, func(n *record.Node) {
			n.Trouble = []record.NodeTrouble{{ID: id("c"), Job: "edge", Name: "must", Reason: "waiting", Since: long}}
		})},
	}
	for i := range 2 * maxFindings { // which would fill the output
		m := meta("gone", day, -time.Hour, nil)
		s.Metas[id("d")[:60]+string("0123456789abcdef"[i/16])+string("0123456789abcdef"[i%16])+"00"] = m
	}
	url := []string{"http://ocsp.example.net"}
	for name, o := range map[string]testca.IssueOptions{
		"new": {Responders: url}, "new-must": {Responders: url, MustStaple: true}, "bare-must": {MustStaple: true}, "bare": {},
	} {
		id, c := announcement(t, ca, o, name)
		s.Waiting[id] = c
		n := s.Nodes["n"]
		n.Trouble = append(n.Trouble, record.NodeTrouble{ID: id, Job: "edge", Name: name, Reason: "waiting", Since: long})
		s.Nodes["n"] = n
	}
	r := FromSnapshot(s, time.Now())
	code, lines := r.Check(0.25, 0.1)
	if code != CheckCritical {
		t.Errorf("code %d", code)
	}
	text := strings.Join(lines, "\n")
	for _, want := range []string{
		"CRITICAL edge/must [must-staple]: missing; timeout",
		"CRITICAL edge/bare-must (bare-must.example.com) [must-staple]: missing; waiting: a node announces it",
		"CRITICAL edge/new-must (new-must.example.com) [must-staple]: missing; waiting: a node announces it",
	} {
		if !strings.Contains(strings.Join(lines[1:4], "\n"), want) {
			t.Errorf("not at the top: %s\n%s", want, text)
		}
	}
	if strings.Contains(text, "edge/bare (") {
		t.Errorf("a certificate without a responder is missed:\n%s", text)
	}
	var table bytes.Buffer
	if err := r.WriteTable(&table, TableOptions{Width: 200}); err != nil {
		t.Fatal(err)
	}
	var top []string
	for line := range strings.Lines(table.String()) {
		if strings.HasPrefix(line, "edge/") {
			top = append(top, line)
		}
	}
	for _, line := range top[:3] {
		if !strings.Contains(line, "missing") || !strings.Contains(line, "yes") {
			t.Errorf("not first in the table, missing and marked: %q", line)
		}
	}
	if !strings.Contains(table.String(), "edge/new ") {
		t.Errorf("what was announced does not show:\n%s", table.String())
	}
	for _, staple := range r.Staples[:3] {
		if !staple.MustStaple {
			t.Errorf("not marked in JSON: %+v", staple)
		}
	}
}

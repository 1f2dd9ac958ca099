package status

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/consul-ocsp/consul-ocsp/plugin/record"
)

func TestCheck(t *testing.T) {
	one := func(m record.Meta) *record.Snapshot {
		return &record.Snapshot{Metas: map[string]record.Meta{id("1"): m}}
	}
	nodes := func(n record.Node) *record.Snapshot {
		s := calm()
		s.Nodes = map[string]record.Node{n.Node: n}
		return s
	}
	for _, c := range []struct {
		name     string
		snapshot *record.Snapshot
		code     int
		want     []string
	}{
		{"nothing", nil, 3, []string{"CONSUL-OCSP UNKNOWN - no staples and no nodes are known"}},
		{"calm", calm(), 0, []string{"CONSUL-OCSP OK - 2 staples, 1 node; the first ends in 4d (edge/shop)"}},
		{"nodes alone", &record.Snapshot{Nodes: calm().Nodes}, 0, []string{"CONSUL-OCSP OK - 1 node, no staples yet"}},
		{"a quarter left is enough", one(meta("www", 3*day, day, nil)), 0, []string{"CONSUL-OCSP OK - 1 staple, 0 nodes; the first ends in 1d (edge/www)"}},
		{"less than a quarter", one(meta("www", 77*time.Hour, 23*time.Hour, nil)), 1, []string{
			"CONSUL-OCSP WARNING - 1 of 1 staple needs attention", "WARNING edge/www (www.example.com): 23% of its life left, ends in 23h"}},
		{"less than a tenth", one(meta("www", 91*time.Hour, 9*time.Hour, nil)), 2, []string{
			"CONSUL-OCSP CRITICAL - 1 of 1 staple needs attention", "CRITICAL edge/www (www.example.com): 9% of its life left, ends in 9h"}},
		{"ended this second", one(meta("www", day, 0, nil)), 2, []string{
			"CONSUL-OCSP CRITICAL - 1 of 1 staple needs attention", "CRITICAL edge/www (www.example.com): ended at 2026-11-21T12:00:00Z"}},
		{"unstaplable and failing alone are no alarm", &record.Snapshot{
			Metas:    map[string]record.Meta{id("6"): cluster().Metas[id("6")], id("7"): cluster().Metas[id("7")]},
			Troubles: map[string]record.Trouble{id("7"): cluster().Troubles[id("7")]},
		}, 0, []string{"CONSUL-OCSP OK - 2 staples, 0 nodes; the first ends in 4m (edge/short)"}},
		{"stale", nodes(node("n", 301*time.Second, nil)), 1, []string{"CONSUL-OCSP WARNING - 1 of 1 node needs attention", "WARNING node n: stale, last seen 5m1s ago"}},
		{"not yet stale", nodes(node("n", 300*time.Second, nil)), 0, []string{"CONSUL-OCSP OK - 2 staples, 1 node; the first ends in 4d (edge/shop)"}},
		{"unreadable alone", func() *record.Snapshot {
			s := calm()
			s.Unreadable = map[string]string{"k|x=1": "no\x1b[2J"}
			return s
		}(), 1, []string{"CONSUL-OCSP WARNING - 1 unreadable record", "WARNING record k/x=1: no?[2J"}},
		{"all of it", cluster(), 2, []string{
			"CONSUL-OCSP CRITICAL - 4 of 9 staples (2 critical), 3 of 5 nodes (1 critical) need attention",
			"CRITICAL node haproxy-2: edge/shop must be stapled and is not: haproxy: permission: /run/haproxy/admin.sock: permission denied",
			"CRITICAL edge/gone (gone.example.com): ended at 2026-11-21T10:00:00Z; http-status (120 times): http://ocsp.example.net: 503 Service Unavailable",
			"CRITICAL edge/stolen (stolen.example.com): revoked at 2026-11-21T10:00:00Z: keyCompromise",
			"WARNING edge/new (new.example.com): missing; unauthorized (3 times)",
			"WARNING edge/old (old.example.com): 10% of its life left, ends in 10h",
			"WARNING node haproxy-3: stale, last seen 3d ago",
			"WARNING node haproxy-4: its clock is 1h ahead of the clock here",
			"WARNING record consul-ocsp/v1/meta/" + id("a") + ": meta record: not the JSON that is expected there",
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			code, lines := FromSnapshot(c.snapshot, noon).Check(0.25, 0.1)
			if d := cmp.Diff(c.want, lines); d != "" || code != c.code {
				t.Errorf("code %d, want %d\n%s", code, c.code, d)
			}
		})
	}
}

func TestCheckIsBounded(t *testing.T) {
	troubles := map[string]record.Trouble{}
	for i := range 500 {
		troubles[fmt.Sprintf("%064x", i)] = record.Trouble{Reason: "timeout"}
	}
	code, lines := FromStore(nil, troubles, nil, nil, noon).Check(0.25, 0.1)
	if code != CheckCritical || len(lines) != maxFindings+2 || lines[len(lines)-1] != "and 470 more" {
		t.Errorf("%d, %d lines, the last %q", code, len(lines), lines[len(lines)-1])
	}
}

func TestParsePercent(t *testing.T) {
	for s, want := range map[string]float64{"0%": 0, "25%": 0.25, "12.5%": 0.125, "100%": 1} {
		if got, err := ParsePercent(s); err != nil || got != want {
			t.Errorf("%s: %v, %v", s, got, err)
		}
	}
	for _, s := range []string{"", "%", "25", "0.25", "-1%", "101%", "NaN%", "Inf%", "25 %", "25%%"} {
		if got, err := ParsePercent(s); err == nil || !strings.Contains(err.Error(), "such as 25%") {
			t.Errorf("%q: %v, %v", s, got, err)
		}
	}
}

// The README's examples of a check are what it prints.
func TestCheckIsThatOfTheReadme(t *testing.T) {
	readme, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	one := func(m record.Meta) *record.Snapshot {
		return &record.Snapshot{Metas: map[string]record.Meta{id("1"): m}}
	}
	for code, s := range []*record.Snapshot{calm(), one(meta("www", 77*time.Hour, 23*time.Hour, nil)), one(meta("www", 91*time.Hour, 9*time.Hour, nil)), nil} {
		got, lines := FromSnapshot(s, noon).Check(0.25, 0.10)
		if got != code {
			t.Errorf("%d, not %d", got, code)
		}
		for _, line := range lines {
			if !strings.Contains(string(readme), "`"+line+"`") {
				t.Errorf("the README does not have %q", line)
			}
		}
	}
}

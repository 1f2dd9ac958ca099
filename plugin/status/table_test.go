package status

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

// many is a report of n certificates with long names, all of them in the same
// trouble on one node, and one of them failing.
func many(n int) *Report {
	now := time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)
	r := &Report{Now: now, Source: SourceConsul}
	node := Node{Node: "edge-01.a-datacenter-with-a-name.example.com", State: Trouble, Seen: now.Add(time.Millisecond), Certificates: n, TroubleCount: n}
	for i := range n {
		name := fmt.Sprintf("tenant-%04d.a-rather-long-name-of-a-host.example.com", i)
		s := Staple{ID: strings.Repeat("ab", 32), Job: "edge", Name: name, State: OK, Until: now.Add(time.Hour), SecondsLeft: 3600, LifeLeft: 0.5}
		if i == 0 {
			s.State, s.Reason, s.Error = Failing, "timeout", "responder \"http://ocsp.a-rather-long-name.example.com/ca-1\": timeout: context deadline exceeded"
		}
		r.Staples = append(r.Staples, s)
		if len(node.Troubles) < 20 {
			node.Troubles = append(node.Troubles, NodeTrouble{Job: "edge", Name: name, Target: "haproxy", Reason: "socket", Error: "no such socket; is HAProxy running?", Since: now})
		}
	}
	r.Nodes = []Node{node}
	return r
}

// At 80 columns nothing is wider, who is in trouble has his whole name and what is
// wrong, and what is the same for many is said once.
func TestTableOfLongNames(t *testing.T) {
	for _, n := range []int{1, 1000} {
		var b bytes.Buffer
		if err := many(n).WriteTable(&b, TableOptions{Width: 80}); err != nil {
			t.Fatal(err)
		}
		text := b.String()
		for line := range strings.Lines(text) {
			if utf8.RuneCountInString(line) > 81 {
				t.Errorf("too wide: %q", line)
			}
		}
		flat := strings.Join(strings.Fields(text), " ")
		for _, want := range []string{
			"edge/tenant-0000.a-rather-long-name-of-a-host.example.com timeout", "context deadline exceeded",
			"haproxy: socket: no such socket; is HAProxy running?", " 0s ago ",
		} {
			if !strings.Contains(flat, want) {
				t.Errorf("no %q in\n%s", want, text)
			}
		}
		if got := strings.Count(text, "no such socket"); got != 1 {
			t.Errorf("the same is said %d times", got)
		}
	}
}

// On a screen there is the worst of each part, and how much more.
func TestTableOfAScreen(t *testing.T) {
	for _, height := range []int{16, 24, 50} {
		var b bytes.Buffer
		if err := many(1000).WriteTable(&b, TableOptions{Width: 80, Height: height}); err != nil {
			t.Fatal(err)
		}
		text := b.String()
		if got := strings.Count(text, "\n"); got > height {
			t.Errorf("%d lines for %d:\n%s", got, height, text)
		}
		for _, want := range []string{"1000 staples", "more lines", "NODE", "edge-01"} {
			if !strings.Contains(text, want) {
				t.Errorf("no %q in\n%s", want, text)
			}
		}
	}
	var all, screen bytes.Buffer
	if err := many(2).WriteTable(&all, TableOptions{Width: 80}); err != nil {
		t.Fatal(err)
	}
	if err := many(2).WriteTable(&screen, TableOptions{Width: 80, Height: 24}); err != nil || screen.String() != all.String() {
		t.Errorf("%v\n%s", err, screen.String())
	}
}

// Where a line ends no number is torn from what it counts, and of a record that
// can't be read the reason is shown.
func TestTableTearsNothing(t *testing.T) {
	var b bytes.Buffer
	if err := FromSnapshot(cluster(), noon).WriteTable(&b, TableOptions{Width: 80}); err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(b.String()) {
		if utf8.RuneCountInString(line) > 81 {
			t.Errorf("too wide: %q", line)
		}
	}
	for _, want := range []string{" 1 failing,\n  3 ok\n", "\n  meta record: not the JSON that is expected there\n"} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("no %q in\n%s", want, b.String())
		}
	}
}

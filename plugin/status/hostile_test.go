package status

import (
	"bytes"
	"encoding/json"
	"math"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/consul-ocsp/consul-ocsp/plugin/record"
)

// evil clears a screen, rings, turns direction, hides, ends lines and is no
// UTF-8.
const evil = "a\x1b[2J\x07\u202eb\u200b\u009b1m\r\nc\u2028\xff\x7f|d"

func hostile() *record.Snapshot {
	m := meta(evil, time.Hour, day, func(m *record.Meta) {
		m.Job, m.Serial, m.Responder, m.Unstaplable, m.Status = evil, evil, evil, []string{evil}, evil
		m.Names = append(m.Names, strings.Repeat("x", 60<<10))
	})
	trouble := record.Trouble{Reason: evil, Error: evil, Job: evil, Name: evil, Names: []string{evil}}
	n := node(evil, time.Hour, func(n *record.Node) {
		n.Version, n.Roles, n.Certificates, n.Troubles = evil, []string{evil}, math.MinInt, math.MaxInt
		n.Trouble = []record.NodeTrouble{{ID: evil, Job: evil, Name: evil, Target: evil, Reason: evil, Error: evil}}
		n.Applied = []record.Applied{{ID: evil}}
	})
	return &record.Snapshot{
		Leader:     &record.Leader{Node: evil, Version: evil},
		Metas:      map[string]record.Meta{id("1"): m, evil: m},
		Troubles:   map[string]record.Trouble{id("1"): trouble, id("2"): trouble, evil: trouble},
		Nodes:      map[string]record.Node{evil: n},
		Unreadable: map[string]string{evil: evil},
	}
}

func TestHostileTextReachesNoTerminal(t *testing.T) {
	r := FromSnapshot(hostile(), noon)
	if len(r.Staples) != 2 {
		t.Errorf("%d staples; what has no id is none", len(r.Staples))
	}
	var out bytes.Buffer
	for _, width := range []int{0, 80} {
		if err := r.WriteTable(&out, TableOptions{Width: width}); err != nil {
			t.Fatal(err)
		}
	}
	if err := r.WriteJSON(&out); err != nil {
		t.Fatal(err)
	}
	_, lines := r.Check(0.25, 0.1)
	for _, line := range lines {
		if strings.ContainsAny(line, "\n|") {
			t.Errorf("a finding ends early: %q", line)
		}
	}
	out.WriteString(strings.Join(lines, "\n"))
	for _, c := range out.String() {
		if c != '\n' && !unicode.IsPrint(c) {
			t.Fatalf("%U is shown", c)
		}
	}
	if out.Len() > 64<<10 {
		t.Errorf("%d bytes for one staple and one node", out.Len())
	}
}

func TestStrangeTimes(t *testing.T) {
	for _, at := range []string{"0001-01-01T00:00:00Z", "9999-12-31T23:59:59-23:00", "0001-01-01T00:00:00+23:00", "9999-12-31T23:59:59Z"} {
		var strange time.Time
		if err := json.Unmarshal([]byte(`"`+at+`"`), &strange); err != nil {
			t.Fatal(err)
		}
		r := FromSnapshot(&record.Snapshot{
			Leader: &record.Leader{Since: strange},
			Metas: map[string]record.Meta{id("1"): meta("www", 0, 0, func(m *record.Meta) {
				m.ThisUpdate, m.NextUpdate, m.Until, m.RevokedAt = strange, strange, strange, strange
			})},
			Troubles: map[string]record.Trouble{id("2"): {Since: strange}},
			Nodes:    map[string]record.Node{"n": node("n", 0, func(n *record.Node) { n.Seen, n.Started = strange, strange })},
		}, noon)
		var out bytes.Buffer
		if err := r.WriteJSON(&out); err != nil {
			t.Errorf("%s: %v", at, err)
		}
		if err := r.WriteTable(&out, TableOptions{Width: 80}); err != nil {
			t.Errorf("%s: %v", at, err)
		}
		r.Check(0.25, 0.1)
	}
}

func TestRecordWithoutAnEndIsEnded(t *testing.T) {
	m := meta("www", time.Hour, day, func(m *record.Meta) { m.NextUpdate, m.Until = time.Time{}, time.Time{} })
	s := FromStore(map[string]record.Meta{id("1"): m}, nil, nil, nil, noon).Staples[0]
	if s.State != Ended || s.Reason != noEnd {
		t.Errorf("%s, %s", s.State, s.Reason)
	}
}

package status

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/consul-ocsp/consul-ocsp/plugin/record"
)

// aviary is a calm cluster whose canary is www: id 1 is revoked, id 2 was before.
func aviary(change func(*record.Snapshot, *record.Canary)) *record.Snapshot {
	revoked := func(m *record.Meta) { m.Status, m.RevokedAt = "revoked", noon.Add(-time.Hour) }
	s := &record.Snapshot{
		Format: 1, Generation: 42,
		Metas: map[string]record.Meta{
			id("1"): meta("canary", time.Hour, 6*day, revoked),
			id("2"): meta("canary", 2*day, 4*time.Hour, revoked),
			id("3"): meta("www", time.Hour, 6*day, nil),
		},
		Nodes: map[string]record.Node{
			"node-1": node("node-1", time.Minute, func(n *record.Node) { n.Applied = []record.Applied{applied("1", time.Hour), applied("3", time.Hour)} }),
		},
	}
	c := record.Canary{
		Job: "edge", Name: "canary", Success: noon.Add(-day), Replaced: []string{id("2")[:record.IDPrefix]},
		Round: record.CanaryRound{Started: noon.Add(-time.Hour), Phase: record.CanaryRevoked, Until: noon.Add(time.Hour), ID: id("1")},
		Last: &record.CanaryRound{
			Started: noon.Add(-day - time.Hour), Phase: record.CanaryEnded, ID: id("2"), Published: noon.Add(-day - 30*time.Minute),
			Renewed: noon.Add(-day - 20*time.Minute), Ended: noon.Add(-day),
			Nodes: map[string]record.CanaryNode{
				"node-1": {Applied: noon.Add(-day - 29*time.Minute), Seen: noon.Add(-day - 29*time.Minute + 400*time.Millisecond), Good: noon.Add(-day - 19*time.Minute)},
				"node-2": {Applied: noon.Add(-day - 30*time.Minute), Seen: noon.Add(-day - 2*time.Hour), Good: noon.Add(-day - 19*time.Minute)},
			},
		},
	}
	if change != nil {
		change(s, &c)
	}
	s.Canaries = map[string]record.Canary{"edge": c}
	return s
}

func TestRevokedByPlan(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(*record.Snapshot, *record.Canary)
		states [2]string // of ids 1 and 2
		canary string
		code   int
	}{
		{"a round goes on", nil, [2]string{Planned, Planned}, OK, CheckOK},
		{"its time is over", func(_ *record.Snapshot, c *record.Canary) { c.Round.Until = noon }, [2]string{Revoked, Planned}, OK, CheckCritical},
		{"it has ended", func(_ *record.Snapshot, c *record.Canary) { c.Round.Phase, c.Round.Ended = record.CanaryEnded, noon }, [2]string{Revoked, Planned}, OK, CheckCritical},
		{"a node goes on with the one before", func(s *record.Snapshot, _ *record.Canary) {
			n := s.Nodes["node-1"]
			n.Applied = append(n.Applied, applied("2", 2*day))
			s.Nodes["node-1"] = n
		}, [2]string{Planned, Revoked}, OK, CheckCritical},
		{"a node that is gone has it", func(s *record.Snapshot, _ *record.Canary) {
			s.Nodes["old"] = node("old", day, func(n *record.Node) { n.Applied = []record.Applied{applied("2", 2*day)} })
		}, [2]string{Planned, Planned}, OK, CheckWarning},
		{"another is revoked", func(s *record.Snapshot, _ *record.Canary) {
			s.Metas[id("3")] = meta("www", time.Hour, 6*day, func(m *record.Meta) { m.Status = "revoked" })
		}, [2]string{Planned, Planned}, OK, CheckCritical},
		{"nobody sees to it", func(_ *record.Snapshot, c *record.Canary) {
			c.Round, c.Due = *c.Last, noon.Add(-2*time.Hour)
			c.Replaced = append(c.Replaced, id("1")[:record.IDPrefix])
		}, [2]string{Revoked, Planned}, Stale, CheckCritical},
		{"renew fails", func(_ *record.Snapshot, c *record.Canary) {
			c.Round.Failures = []record.CanaryFailure{{Reason: "canary-renew", Error: "exit status 1", At: noon}}
		}, [2]string{Planned, Planned}, Failing, CheckWarning},
		{"no round can begin", func(_ *record.Snapshot, c *record.Canary) {
			c.Round.Phase, c.Round.ID, c.Unready = record.CanaryEnded, id("2"), &record.CanaryFailure{Reason: "canary-unready", Error: "no node"}
			c.Replaced = append(c.Replaced, id("1")[:record.IDPrefix])
		}, [2]string{Revoked, Planned}, Failing, CheckCritical},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := FromSnapshot(aviary(c.change), noon)
			got := map[string]string{}
			for _, s := range r.Staples {
				got[s.ID] = s.State
			}
			if got[id("1")] != c.states[0] || got[id("2")] != c.states[1] || r.Canaries[0].State != c.canary {
				t.Errorf("%s, %s, canary %s", got[id("1")], got[id("2")], r.Canaries[0].State)
			}
			if code, lines := r.Check(0.25, 0.1); code != c.code {
				t.Errorf("code %d, want %d: %q", code, c.code, lines)
			}
		})
	}
}

func TestCanaryIsShown(t *testing.T) {
	for file, change := range map[string]func(*record.Snapshot, *record.Canary){
		"canary.txt": nil,
		"canary-failing.txt": func(_ *record.Snapshot, c *record.Canary) {
			c.Last.Nodes["node-2"] = record.CanaryNode{Error: "refused"}
			c.Last.Failures = []record.CanaryFailure{{Reason: "canary-unseen", Error: "node-2: refused", At: noon.Add(-day)}}
		},
	} {
		var b bytes.Buffer
		r := FromSnapshot(aviary(change), noon)
		if err := r.WriteTable(&b, TableOptions{Width: 80}); err != nil {
			t.Fatal(err)
		}
		golden(t, file, b.Bytes())
		if _, lines := r.Check(0.25, 0.1); change != nil && lines[0] != "CONSUL-OCSP WARNING - 1 of 1 canary needs attention" {
			t.Errorf("%s: %q", file, lines)
		}
	}
	var b bytes.Buffer
	if err := FromSnapshot(aviary(nil), noon).WriteJSON(&b); err != nil {
		t.Fatal(err)
	}
	golden(t, "canary.json", b.Bytes())
}

// What others wrote to Consul as a canary becomes no line and no series of its
// own making.
func TestHostileCanary(t *testing.T) {
	evil := "\x1b[31m\n|<b>\xff"
	s := aviary(func(_ *record.Snapshot, c *record.Canary) {
		c.Name, c.Last.Phase = evil, evil
		c.Last.Nodes[evil] = record.CanaryNode{Error: evil}
		c.Last.Failures = []record.CanaryFailure{{Reason: evil, Error: evil}, {Reason: "canary-renew", Error: evil}}
	})
	s.Canaries[evil] = s.Canaries["edge"]
	r := FromSnapshot(s, noon)
	var b bytes.Buffer
	if err := r.WriteTable(&b, TableOptions{Width: 80}); err != nil {
		t.Fatal(err)
	}
	_, lines := r.Check(0.25, 0.1)
	if text := b.String() + strings.Join(lines, ""); strings.ContainsRune(text, 0x1b) || !utf8.ValidString(text) || strings.Contains(strings.Join(lines, ""), "|") || len(r.Canaries) != 1 || len(r.Canaries[0].Nodes) != 2 {
		t.Errorf("%q", text)
	}
}

// Records of thousands of canaries, each with as many that were replaced, hold up
// nobody who looks at a cluster where all is revoked: in one go through each.
func TestManyCanariesAndMuchRevoked(t *testing.T) {
	r := newReport(SourceConsul, noon)
	for i := range 5000 {
		r.Staples = append(r.Staples, Staple{ID: fmt.Sprintf("%064x", i), State: Revoked})
	}
	var replaced []string
	for i := range record.MaxReplaced {
		replaced = append(replaced, fmt.Sprintf("%012d", i+1)) // of none
	}
	canaries := map[string]record.Canary{}
	for i := range 1000 {
		c := record.Canary{Job: fmt.Sprint("evil", i), Replaced: replaced}
		canaries[c.Job] = c
	}
	r.SetCanaries(canaries)
	if len(r.Canaries) != 1000 || r.Staples[0].State != Revoked {
		t.Errorf("%d canaries, %s", len(r.Canaries), r.Staples[0].State)
	}
}

package record

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"
)

// A canary of as many nodes as are measured, all of them with much to say, fits
// into one transaction of Consul; no figure is lost of the round that goes on.
func TestLargeCanaryFits(t *testing.T) {
	now := time.Date(2026, 11, 21, 12, 0, 0, 123456789, time.UTC)
	for name, length := range map[string]int{"short names": 10, "long names": 190} {
		round := CanaryRound{Started: now, Phase: CanaryRevoked, ID: strings.Repeat("a", 64), Nodes: map[string]CanaryNode{}}
		for i := range MaxCanaryNodes + 100 {
			node := fmt.Sprintf("%0*d", length, i)
			round.Nodes[node] = CanaryNode{Applied: now, Seen: now, Good: now, Error: strings.Repeat("x", 10_000)}
		}
		c := Canary{Job: "edge", Round: round, Last: &round, Failures: map[string]uint64{"canary-unseen": 1}}
		for i := range 5 * MaxReplaced {
			c.Replaced = append(c.Replaced, fmt.Sprintf("%012x", i))
		}
		b, err := c.Encode()
		if err != nil || len(b)*4/3 > 500<<10 {
			t.Fatalf("%s: %d bytes, %v", name, len(b), err)
		}
		got, err := DecodeCanary("edge", b)
		if err != nil || len(got.Round.Nodes) != MaxCanaryNodes {
			t.Fatalf("%s: %d nodes, %v", name, len(got.Round.Nodes), err)
		}
		for _, n := range got.Round.Nodes {
			if !n.Seen.Equal(now) {
				t.Fatalf("%s: %+v", name, n)
			}
		}
		if !got.WasReplaced(fmt.Sprintf("%012x", 5*MaxReplaced-1)+strings.Repeat("0", 52)) || got.WasReplaced("000000000000") || got.WasReplaced("0") {
			t.Errorf("%s: the newest are kept", name)
		}
	}
}

// What anybody may have written is bounded when it is read: it is shown, logged,
// and told to commands.
func TestHostileCanaryIsBounded(t *testing.T) {
	long := strings.Repeat("x", 5000)
	var c Canary
	for range 50 {
		c.Round.Failures = append(c.Round.Failures, CanaryFailure{Reason: "canary-unseen", Error: long})
	}
	c.Job, c.Round.Nodes = "edge", map[string]CanaryNode{"a": {Error: long}}
	c.Last, c.Unready = &c.Round, &CanaryFailure{Error: long}
	b, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	got, err := DecodeCanary("edge", b)
	if err != nil || len(got.Round.Failures) > 20 || len(got.Last.Failures) > 20 || len(got.Last.Failures[0].Error) > 1100 ||
		len(got.Round.Nodes["a"].Error) > 300 || len(got.Unready.Error) > 1100 {
		t.Errorf("it is not cut: %v", err)
	}
	b, err = json.Marshal(Node{Node: "a", Canaries: []NodeCanary{{Job: "edge", CanaryNode: CanaryNode{Error: long}}}})
	if err != nil {
		t.Fatal(err)
	}
	if n, err := DecodeNode("a", b); err != nil || len(n.Canaries[0].Error) > 300 {
		t.Errorf("a node's is not cut: %v", err)
	}
}

func TestPlanned(t *testing.T) {
	now, id := time.Now(), strings.Repeat("a", 64)
	c := Canary{Round: CanaryRound{Started: now, Phase: CanaryRevoked, Until: now.Add(time.Hour), ID: id}}
	ended := c
	ended.Round.Phase = CanaryEnded
	for _, k := range []struct {
		c    Canary
		id   string
		at   time.Time
		want bool
	}{
		{c, id, now, true}, {c, strings.Repeat("b", 64), now, false}, {c, id, now.Add(2 * time.Hour), false}, {ended, id, now, false}, {Canary{}, "", now, false},
	} {
		if k.c.Planned(k.id, k.at) != k.want {
			t.Errorf("%+v", k)
		}
	}
}

func FuzzDecodeCanary(f *testing.F) {
	good, err := Canary{
		Job: "edge", Name: "canary", Failures: map[string]uint64{"canary-renew": 1}, Replaced: []string{"0123456789ab"},
		Round: CanaryRound{Started: time.Unix(1, 0), Phase: CanaryRenewed, ID: strings.Repeat("a", 64), Nodes: map[string]CanaryNode{"node-1": {Error: "refused"}}},
	}.Encode()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	f.Add([]byte(`{"job":"edge","round":{"started":"2026-11-21T12:00:00Z","phase":"revoked","id":"x"}}`))
	f.Add([]byte(`{"job":"edge","last":{},"unready":{},"replaced":[""]}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		c, err := DecodeCanary("edge", b)
		if err != nil {
			return
		}
		c.WasReplaced(strings.Repeat("a", 64))
		if c.Planned(strings.Repeat("a", 64), time.Unix(0, 0)) && c.Round.Phase == CanaryEnded {
			t.Error("planned by a round that has ended")
		}
		if b, err = c.Encode(); err == nil && len(b) > maxCanary {
			t.Errorf("%d bytes", len(b))
		}
	})
}

package plugin

import (
	"fmt"
	"testing"
	"time"
)

func TestOutageBegins(t *testing.T) {
	noon := time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)
	at := func(hours float64) time.Time { return noon.Add(time.Duration(hours * float64(time.Hour))) }
	// The outage is noticed at noon.
	o := outage{since: noon, takeover: 90 * time.Second, splay: 20 * time.Second, pace: time.Hour}
	for name, test := range map[string]struct {
		silent           bool
		this, until      float64 // hours from noon; 0, 0: none
		earliest, latest time.Time
	}{
		"fresh":                       {true, 0, 100, at(75), at(90)},
		"fresh, nobody leads":         {false, 0, 100, at(75), at(90)},
		"used up":                     {true, -90, 10, at(0).Add(20 * time.Second), at(6.01)},
		"used up, nobody leads":       {false, -90, 10, at(0).Add(90 * time.Second), at(6.02)},
		"two minutes, nobody leads":   {false, -10, 2. / 60, at(0).Add(30 * time.Second), at(0).Add(84 * time.Second)},
		"ended":                       {true, -10, -1, at(0).Add(20 * time.Second), at(0).Add(time.Minute)},
		"ended, nobody leads":         {false, -10, -1, at(1), at(1).Add(40 * time.Second)},
		"none":                        {true, 0, 0, at(0).Add(20 * time.Second), at(0).Add(time.Minute)},
		"none, nobody leads":          {false, 0, 0, at(1), at(1).Add(40 * time.Second)},
		"ends as the outage begins":   {true, -10, 0, at(0).Add(20 * time.Second), at(0).Add(time.Minute)},
		"of no length, ends at once":  {true, 0, 0, at(0).Add(20 * time.Second), at(0).Add(time.Minute)},
		"begins later than it is now": {true, 1, 2, at(1.75), at(1.9)},
	} {
		t.Run(name, func(t *testing.T) {
			o := o
			o.silent = test.silent
			l := life{at(test.this), at(test.until)}
			if test.this == 0 && test.until == 0 {
				l = life{}
			}
			first, last := o.begins(l, 0), o.begins(l, 0.999999)
			if !first.Equal(test.earliest) {
				t.Errorf("the first node begins at %s; want %s", first, test.earliest)
			}
			if d := test.latest.Sub(last); d < 0 || d > time.Minute {
				t.Errorf("the last node begins at %s; want %s or a little before", last, test.latest)
			}
			if !l.until.IsZero() && l.until.After(o.since) && !last.Before(l.until) {
				t.Errorf("the last node begins at %s; the response ends at %s", last, l.until)
			}
		})
	}
}

// Of 300 nodes that hold the same response no tenth of the time sees more than
// its share, and each node has as many early places as others.
func TestNodesDoNotStampede(t *testing.T) {
	const nodes, certificates, slots = 300, 20, 10
	noon := time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)
	o := outage{since: noon, silent: true, takeover: 90 * time.Second, splay: 20 * time.Second, pace: time.Hour}
	l := life{noon, noon.Add(7 * 24 * time.Hour)}
	first, last := o.begins(l, 0), o.begins(l, 1)
	if window := last.Sub(first); window < 25*time.Hour {
		t.Fatalf("a week's response is fetched again within %s", window)
	}
	early := map[int]int{}
	for c := range certificates {
		var counts [slots]int
		id := fmt.Sprintf("%064x", c)
		for n := range nodes {
			at := o.begins(l, chance(fmt.Sprintf("instance-%d", n), id, "sum"))
			slot := int(float64(slots) * float64(at.Sub(first)) / float64(last.Sub(first)))
			counts[slot]++
			if slot == 0 {
				early[n]++
			}
		}
		for slot, count := range counts {
			if count < nodes/slots/3 || count > 2*nodes/slots {
				t.Errorf("certificate %d: %d of %d nodes begin in part %d of %d", c, count, nodes, slot, slots)
			}
		}
	}
	for n, times := range early {
		if times > certificates/2 {
			t.Errorf("node %d is among the first for %d of %d certificates", n, times, certificates)
		}
	}
	if chance("a", "b", "c") != chance("a", "b", "c") || chance("a", "b", "c") == chance("a", "b", "d") {
		t.Error("the place of a node is to be the same for a response, and another for the next one")
	}
}

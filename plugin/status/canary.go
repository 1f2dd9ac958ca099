package status

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/consul-ocsp/consul-ocsp/plugin/record"
)

// Planned is the state of a staple that says revoked by plan: that of a canary, or
// of one that another has replaced everywhere. It alarms nobody.
const Planned = "canary"

// Canary is a certificate that is revoked and renewed on schedule, and what was
// measured.
type Canary struct {
	Job  string `json:"job"`
	Name string `json:"name"`
	// State is OK, Failing, Missing before the first round has ended, or Stale where
	// one should have begun an hour ago.
	State string `json:"state"`
	// Phase is that of the round that goes on: "revoking", "revoked", "renewing" or
	// "renewed"; empty between rounds.
	Phase string `json:"phase"`
	// Due is when the next round should begin.
	Due time.Time `json:"due,omitzero"`
	// Success is when a round last ended of which nothing failed.
	Success time.Time `json:"success,omitzero"`
	// Failures are those of the round that ended last, and of the one that goes on.
	Failures []CanaryFailure `json:"failures"`
	// Started and the rest are of the round that ended last; of the first one while
	// it goes on.
	Started time.Time `json:"started,omitzero"`
	// PublishedSeconds is from Started until the response that says revoked was
	// published; null if it was not.
	PublishedSeconds *float64 `json:"published_seconds"`
	// Nodes are those that had the certificate, by name.
	Nodes []CanaryNode `json:"nodes"`
}

// CanaryNode is what was measured on a node, in seconds; null where it did not
// come so far.
type CanaryNode struct {
	Node string `json:"node"`
	// AppliedSeconds and SeenSeconds are from the round's Started until all files
	// and servers had the response, and until a client was shown it; GoodSeconds
	// from the start of renew until one was shown a good response.
	AppliedSeconds *float64 `json:"applied_seconds"`
	SeenSeconds    *float64 `json:"seen_seconds"`
	GoodSeconds    *float64 `json:"good_seconds"`
	// Error is why it did not come further.
	Error string `json:"error"`
}

// CanaryFailure is one thing that went wrong.
type CanaryFailure struct {
	Reason string    `json:"reason"`
	Error  string    `json:"error"`
	At     time.Time `json:"at,omitzero"`
}

// SetCanaries adds what is known of canaries, and what is revoked by plan counts
// as that from then on.
func (r *Report) SetCanaries(canaries map[string]record.Canary) {
	planned, replaced := map[string]bool{}, map[string]bool{}
	for job, c := range canaries {
		if record.ValidName(job) {
			r.Canaries = append(r.Canaries, newCanary(c, r.Now))
		}
		planned[c.Round.ID] = planned[c.Round.ID] || c.Planned(c.Round.ID, r.Now)
		for _, prefix := range c.Replaced {
			replaced[prefix] = true
		}
	}
	for i := range r.Staples {
		s := &r.Staples[i]
		if s.State == Revoked && (planned[s.ID] || replaced[prefix(s.ID)] && !r.delivered(s.ID)) {
			s.State = Planned
		}
	}
	slices.SortFunc(r.Canaries, func(a, b Canary) int { return cmp.Compare(a.Job, b.Job) })
	r.sort()
}

// delivered reports whether a node that is not silent delivers something for it.
func (r *Report) delivered(id string) bool {
	column, listed := slices.BinarySearch(r.Columns, prefix(id))
	return listed && slices.ContainsFunc(r.Nodes, func(n Node) bool { return n.State != Stale && n.Applied[column] != Unsaid })
}

// overdue is how long after a round should have begun nobody seems to see to it.
const overdue = time.Hour

func newCanary(c record.Canary, now time.Time) Canary {
	shown := measured(c)
	out := Canary{
		Job: clean(c.Job), Name: clean(c.Name), State: OK, Due: utc(c.Due), Success: utc(c.Success), Failures: []CanaryFailure{},
		Started: utc(shown.Started), PublishedSeconds: seconds(shown.Started, shown.Published), Nodes: []CanaryNode{},
	}
	if c.Round.Active() {
		out.Phase = clean(c.Round.Phase)
	}
	for _, f := range canaryFailures(c) {
		if !record.ValidName(f.Reason) {
			continue
		}
		out.Failures = append(out.Failures, CanaryFailure{Reason: clean(f.Reason), Error: clean(f.Error), At: utc(f.At)})
	}
	switch {
	case len(out.Failures) > 0:
		out.State = Failing
	case !c.Round.Active() && !c.Due.IsZero() && now.Sub(c.Due) > overdue:
		out.State = Stale
	case shown.Ended.IsZero():
		out.State = Missing
	}
	for _, name := range slices.Sorted(maps.Keys(shown.Nodes)) {
		if !record.ValidName(name) || len(out.Nodes) == record.MaxCanaryNodes {
			continue // not from an agent
		}
		n := shown.Nodes[name]
		out.Nodes = append(out.Nodes, CanaryNode{
			Node: clean(name), Error: clean(n.Error), AppliedSeconds: seconds(shown.Started, n.Applied),
			SeenSeconds: seconds(shown.Started, n.Seen), GoodSeconds: seconds(shown.Renewed, n.Good),
		})
	}
	return out
}

// measured is the round that ended last, or the first one.
func measured(c record.Canary) record.CanaryRound {
	if c.Round.Active() && c.Last != nil {
		return *c.Last
	}
	return c.Round
}

// canaryFailures are those that count now.
func canaryFailures(c record.Canary) []record.CanaryFailure {
	list := slices.Clone(measured(c).Failures)
	if c.Round.Active() && c.Last != nil {
		list = append(list, c.Round.Failures...)
	}
	if c.Unready != nil {
		list = append(list, *c.Unready)
	}
	return list
}

// seconds is from one time to another, nil where one is not known. Clocks differ:
// it is not negative.
func seconds(from, to time.Time) *float64 {
	if from.IsZero() || to.IsZero() {
		return nil
	}
	s := max(0, to.Sub(from).Round(time.Millisecond).Seconds())
	return &s
}

// slowest is the node whose client was shown it last; a node whose was not comes
// last of all.
func (c Canary) slowest() (node string, after *float64) {
	for _, n := range c.Nodes {
		if n.SeenSeconds == nil {
			return n.Node, nil
		}
		if after == nil || *n.SeenSeconds > *after {
			node, after = n.Node, n.SeenSeconds
		}
	}
	return node, after
}

func (r *Report) canaryTable(o TableOptions) *table {
	t := &table{head: []string{"CANARY", "STATE", "REVOKED", "PUBLISHED", "SEEN", "LAST ON"}, state: 1, flexible: []int{5, 0}}
	for _, c := range r.Canaries {
		cells := []string{c.Job + "/" + c.Name, c.State, "", after(c.PublishedSeconds), "", ""}
		if !c.Started.IsZero() {
			cells[2] = c.Started.In(o.Local).Format(time.RFC3339)
		}
		node, last := c.slowest()
		cells[4], cells[5] = after(last), node
		var notes []string
		if c.Phase != "" {
			notes = append(notes, "a round goes on: "+c.Phase)
		}
		if c.State == Stale {
			notes = append(notes, "a round should have begun"+at(c.Due.In(o.Local)))
		}
		for _, f := range c.Failures {
			notes = append(notes, f.Reason+at(f.At.In(o.Local))+": "+f.Error)
		}
		t.rows = append(t.rows, row{cells: cells, notes: notes})
	}
	return t
}

// after is a measured time for people.
func after(s *float64) string {
	switch {
	case s == nil:
		return "-"
	case *s < 60:
		return fmt.Sprintf("%.1fs", *s)
	}
	return span(time.Duration(*s * float64(time.Second)))
}

// checkCanaries warns of those that fail: what they revoke alarms on its own once
// it is not by plan.
func (r *Report) checkCanaries(f *findings) (warnings int) {
	for _, c := range r.Canaries {
		switch c.State {
		case Stale:
			f.warning("canary %s/%s: a round should have begun%s, and no agent that leads sees to it", c.Job, c.Name, at(c.Due))
			warnings++
			continue
		case Failing:
			warnings++
		default:
			continue
		}
		var parts []string
		for _, failure := range c.Failures {
			parts = append(parts, failure.Reason+": "+failure.Error)
		}
		f.warning("canary %s/%s: %s", c.Job, c.Name, strings.Join(parts, "; "))
	}
	return warnings
}

// canaryPart is "1 of 2 canaries", or nothing if none is bad.
func canaryPart(bad, all int) string {
	switch {
	case bad == 0:
		return ""
	case all == 1:
		return "1 of 1 canary"
	}
	return fmt.Sprintf("%d of %d canaries", bad, all)
}

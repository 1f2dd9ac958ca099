package canary

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/consul-ocsp/consul-ocsp/plugin/record"
)

// ahead is how far a node's clock may be before ours.
const ahead = 5 * time.Minute

// gather takes in what the nodes tell that are not done.
func (l *Leader) gather(ctx context.Context, now time.Time, done func(record.CanaryNode) bool) (changed bool, err error) {
	names := []string{} // nil would be all
	for name, n := range l.state.Round.Nodes {
		if !done(n) {
			names = append(names, name)
		}
	}
	if len(names) == 0 {
		return false, nil
	}
	records, err := l.Board.Nodes(ctx, names)
	if err != nil {
		return false, err
	}
	nodes := maps.Clone(l.state.Round.Nodes)
	for _, name := range names {
		n := nodes[name]
		if r, known := records[name]; known {
			n = l.told(n, r, now)
		} else {
			n.Error = "it says nothing of itself any more"
		}
		changed = changed || n != nodes[name]
		nodes[name] = n
	}
	l.state.Round.Nodes = nodes
	return changed, nil
}

// told is how far a node is by its record. A time before the round, or in the
// future, says nothing.
func (l *Leader) told(n record.CanaryNode, r record.Node, now time.Time) record.CanaryNode {
	if silent := now.Sub(r.Seen); silent > ahead {
		n.Error = "silent since " + r.Seen.UTC().Format(time.RFC3339)
		return n
	}
	at := slices.IndexFunc(r.Canaries, func(c record.NodeCanary) bool { return c.Job == l.Settings.Job })
	if at < 0 {
		n.Error = "it does not look: its job file has no canary block for this job, or its agent is older"
		return n
	}
	c := r.Canaries[at]
	if !c.Round.Equal(l.state.Round.Started) {
		n.Error = "it has not heard of the round"
		return n
	}
	take := func(mine *time.Time, its time.Time) {
		if mine.IsZero() && its.After(l.state.Round.Started.Add(-ahead)) && its.Before(now.Add(ahead)) {
			*mine = its
		}
	}
	take(&n.Applied, c.Applied)
	take(&n.Seen, c.Seen)
	take(&n.Good, c.Good)
	n.Error = c.Error
	return n
}

// maxNamed is how many nodes an error names.
const maxNamed = 10

// missing names the nodes that are not done, and why; "" if all are.
func missing(nodes map[string]record.CanaryNode, done func(record.CanaryNode) bool) string {
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(nodes)) {
		n := nodes[name]
		if done(n) {
			continue
		}
		text := name
		if n.Error != "" {
			text += ": " + n.Error
		}
		parts = append(parts, text)
	}
	if more := len(parts) - maxNamed; more > 0 {
		parts = append(parts[:maxNamed], fmt.Sprintf("and %d more", more))
	}
	return strings.Join(parts, "; ")
}

package canary

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/consul-ocsp/consul-ocsp/plugin/record"
)

// lately is how long ago a node must have been heard of to count.
const lately = 10 * time.Minute

// rest waits for the next round, and begins it when it can.
func (l *Leader) rest(ctx context.Context) (time.Duration, error) {
	now := time.Now()
	due := l.began
	if last := l.state.Round.Started; !last.IsZero() {
		if last.After(now) {
			last = l.began // by a clock that was ahead: it counts from what is known
		}
		due = last.Add(l.Settings.Every)
	}
	if wait := due.Sub(now); wait > 0 {
		if !l.state.Due.Equal(due) && !l.state.Round.Started.IsZero() {
			l.state.Due = due // every is another than it was
			return time.Minute, l.keep(ctx)
		}
		return min(wait, time.Minute), nil
	}
	c, nodes, why, err := l.ready(ctx, now)
	if err != nil {
		return 0, err
	}
	if why != "" {
		if l.state.Unready == nil && now.Sub(due) > l.Settings.Within {
			l.fail(ReasonUnready, why)
			return l.pause(), l.keep(ctx)
		}
		l.log.Debug("canary is due and can't be revoked yet", "error", why)
		// To look for nodes costs the records of all of them.
		return min(l.pause()<<min(l.nobody, 6), time.Minute), nil
	}
	if last := l.state.Round; !last.Started.IsZero() {
		l.state.Last = &last
	}
	l.state.Unready, l.state.Due = nil, now.Add(l.Settings.Every)
	l.state.Round = record.CanaryRound{Started: now, ID: c.ID, Nodes: nodes}
	// First it is kept, so that nobody revokes again, whatever becomes of us.
	if err := l.enter(ctx, record.CanaryRevoking, l.Settings.Timeout+l.Settings.Within); err != nil {
		return 0, err
	}
	return l.revoke(ctx)
}

// ready finds what a round is of, or why none can begin.
func (l *Leader) ready(ctx context.Context, now time.Time) (c Certificate, nodes map[string]record.CanaryNode, why string, err error) {
	c, known := l.Certificate()
	switch {
	case !known:
		return c, nil, "no certificate of this name is configured here, and none was announced that counts (announce { names = true })", nil
	case c.Shared != "":
		return c, nil, fmt.Sprintf("%s has the same certificate: it would be revoked too", c.Shared), nil
	}
	m, found, err := l.Board.Meta(ctx, c.ID)
	switch {
	case err != nil:
		return c, nil, "", err
	case !found:
		return c, nil, "no response is published for it", nil
	case m.Status != "good":
		return c, nil, fmt.Sprintf("it is %.20q, not good", m.Status), nil
	case !m.Until.After(now):
		return c, nil, "its response has ended", nil
	}
	all, err := l.Board.Nodes(ctx, nil)
	if err != nil {
		return c, nil, "", err
	}
	nodes = map[string]record.CanaryNode{}
	for name, n := range all {
		if now.Sub(n.Seen) < lately && len(nodes) < record.MaxCanaryNodes && l.takesPart(n, c.ID) {
			nodes[name] = record.CanaryNode{}
		}
	}
	if len(nodes) == 0 {
		l.nobody++
		return c, nil, "no node delivers it", nil
	}
	l.nobody = 0
	return c, nodes, "", nil
}

// takesPart reports whether a node has the canary: it says so, or delivers it.
func (l *Leader) takesPart(n record.Node, id string) bool {
	return slices.ContainsFunc(n.Canaries, func(c record.NodeCanary) bool { return c.Job == l.Settings.Job && c.ID == id }) ||
		slices.ContainsFunc(n.Applied, func(a record.Applied) bool {
			return len(a.ID) >= record.IDPrefix && strings.HasPrefix(id, a.ID)
		})
}

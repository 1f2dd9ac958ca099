package canary

import (
	"context"
	"maps"
	"time"

	"github.com/consul-ocsp/consul-ocsp/plugin/record"
)

// Own is a canary that this node has.
type Own struct {
	Job string
	// ID is the certificate's in this node's file.
	ID string
	// Look is what a client of this node is shown for it: "good", "revoked", or
	// anything else, with why.
	Look func(ctx context.Context) (says, why string)
}

// measured is how far this node is with a canary.
type measured struct {
	id    string
	round time.Time
	node  record.CanaryNode
	next  time.Time // when to look again
	again bool      // something has happened since it was looked last
}

// idle is how often is looked which canaries this node has.
const idle = 10 * time.Second

// Run looks what clients are shown until ctx ends. own are the canaries that this
// node has now; changed is called when Records are others.
func (w *Watch) Run(ctx context.Context, own func() []Own, changed func()) {
	w.mu.Lock()
	wake := w.waker()
	w.mu.Unlock()
	for ctx.Err() == nil {
		wait, list := idle, own()
		if w.take(list) {
			changed()
		}
		for _, o := range list {
			wait = min(wait, w.one(ctx, o, changed))
		}
		timer := time.NewTimer(max(wait, 0))
		select {
		case <-timer.C:
		case <-wake:
		case <-ctx.Done():
		}
		timer.Stop()
	}
}

// take notes which canaries there are, and which rounds they are in.
func (w *Watch) take(list []Own) (changed bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.mine == nil {
		w.mine = map[string]*measured{}
	}
	have, all := map[string]bool{}, w.merged()
	for _, o := range list {
		have[o.Job] = true
		m := w.mine[o.Job]
		if m == nil {
			m = &measured{}
			w.mine[o.Job] = m
		}
		changed = changed || m.id != o.ID
		m.id = o.ID
		if r := all[o.Job].Round; !r.Started.Equal(m.round) {
			m.round, m.node, m.next, changed = r.Started, record.CanaryNode{}, time.Time{}, true
		}
	}
	maps.DeleteFunc(w.mine, func(job string, _ *measured) bool { return !have[job] })
	return changed
}

// one looks at one canary if it is time, and is how long until it is again.
func (w *Watch) one(ctx context.Context, o Own, changed func()) time.Duration {
	w.mu.Lock()
	m, r := w.mine[o.Job], w.merged()[o.Job].Round
	before := m.node
	if at := w.applied[r.ID]; m.node.Applied.IsZero() && at.After(r.Started) {
		m.node.Applied = at
	}
	node, wait := m.node, time.Until(m.next)
	if m.again {
		wait, m.again = 0, false
	}
	w.mu.Unlock()
	switch {
	case !r.Active(), waitsFor(r, node) == "":
		wait = idle
	case wait <= 0:
		wait = pace(r, node)
		w.shown(ctx, o, r, &node)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if m.round.Equal(r.Started) {
		m.node, m.next = node, time.Now().Add(wait)
		if m.node != before {
			changed()
		}
	}
	return wait
}

// waitsFor is what a client is to be shown next, "" for nothing.
func waitsFor(r record.CanaryRound, n record.CanaryNode) string {
	switch {
	case (r.Phase == record.CanaryRevoking || r.Phase == record.CanaryRevoked) && n.Seen.IsZero():
		return "revoked"
	case r.Phase == record.CanaryRenewed && n.Good.IsZero():
		return "good"
	}
	return ""
}

// pace is how long to wait before it is looked again: seconds once it must be
// there any moment, more while nobody can know.
func pace(r record.CanaryRound, n record.CanaryNode) time.Duration {
	switch {
	case waitsFor(r, n) == "good":
		return 2 * time.Second
	case n.Applied.IsZero():
		return 15 * time.Second
	case time.Since(n.Applied) < time.Minute:
		return 500 * time.Millisecond
	}
	return 5 * time.Second
}

// shown looks what a client is shown.
func (w *Watch) shown(ctx context.Context, o Own, r record.CanaryRound, n *record.CanaryNode) {
	want := waitsFor(r, *n)
	if want == "revoked" && o.ID != r.ID {
		n.Error = "it has another certificate than the one that is revoked"
		return
	}
	says, why := o.Look(ctx)
	switch {
	case says == want && want == "revoked":
		n.Seen, n.Error = time.Now(), ""
	case says == want:
		n.Good, n.Error = time.Now(), ""
	case why != "":
		n.Error = why
	default:
		n.Error = "clients are shown: " + says
	}
}

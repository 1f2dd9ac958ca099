package plugin

import (
	"context"
	"maps"
	"strings"
	"time"

	"github.com/consul-ocsp/consul-ocsp/consul"
	"github.com/consul-ocsp/consul-ocsp/plugin/canary"
	"github.com/consul-ocsp/consul-ocsp/plugin/record"
)

// everywhere is the board of a leader that publishes to further datacenters too:
// their nodes learn of rounds there, and take part as <node>.<datacenter>. A
// datacenter that can't be reached holds up nothing.
type everywhere struct {
	canary.Board
	outlets []*outlet
}

// Canary is what was kept in the agent's own datacenter. What the others have may
// be older.
func (b everywhere) Canary(ctx context.Context, job string) (record.Canary, error) {
	c, err := b.Board.Canary(ctx, job)
	if err == nil && !c.Round.Started.IsZero() {
		b.send(c)
	}
	return c, err
}

// KeepCanary keeps in the agent's own datacenter, and sends it on its way to the
// others.
func (b everywhere) KeepCanary(ctx context.Context, c record.Canary) error {
	err := b.Board.KeepCanary(ctx, c)
	if err == nil {
		b.send(c)
	}
	return err
}

func (b everywhere) send(c record.Canary) {
	for _, o := range b.outlets {
		o.canary(c)
	}
}

// farPatience is how long nodes of another datacenter are asked for.
const farPatience = 5 * time.Second

// Nodes are those of all datacenters.
func (b everywhere) Nodes(ctx context.Context, names []string) (map[string]record.Node, error) {
	nodes, err := b.Board.Nodes(ctx, names)
	if err != nil {
		return nil, err
	}
	for _, o := range b.outlets {
		var far []string // nil: all
		if names != nil {
			far = []string{}
		}
		for _, name := range names {
			if node, there := strings.CutSuffix(name, "."+o.datacenter); there && nodes[name].Node == "" {
				far = append(far, node)
			}
		}
		for name, n := range o.nodes(ctx, far) {
			if name += "." + o.datacenter; nodes[name].Node == "" {
				nodes[name] = n
			}
		}
	}
	return nodes, nil
}

// nodes are the records of nodes there; none where there is no term.
func (o *outlet) nodes(ctx context.Context, names []string) map[string]record.Node {
	o.mu.Lock()
	term := o.term
	o.mu.Unlock()
	if term == nil || names != nil && len(names) == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, farPatience)
	defer cancel()
	nodes, err := term.Nodes(ctx, names)
	if err != nil && ctx.Err() == nil {
		o.logger.Debug("nodes that have a canary can't be read", "error", err)
	}
	return nodes
}

// canary takes what is kept of a canary on its way to the datacenter.
func (o *outlet) canary(c record.Canary) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.canaries[c.Job] = c
	o.unsent[c.Job] = true
	wake(o.added)
}

// sendCanaries writes those that were not yet. It is kept what is to be written:
// the next term there begins with all of them.
func (o *outlet) sendCanaries(ctx context.Context, term *consul.Term) error {
	o.mu.Lock()
	var list []record.Canary
	for job := range o.unsent {
		list = append(list, o.canaries[job])
	}
	clear(o.unsent)
	o.mu.Unlock()
	var failed error
	for _, c := range list {
		if err := term.KeepCanary(ctx, c); err != nil {
			failed = err
			o.mu.Lock()
			o.unsent[c.Job] = true
			o.mu.Unlock()
		}
	}
	return failed
}

// resend has all canaries written again; the caller holds the lock.
func (o *outlet) resend() {
	for job := range maps.Keys(o.canaries) {
		o.unsent[job] = true
	}
}

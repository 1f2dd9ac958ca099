package plugin

import (
	"context"
	"sync"
	"time"

	"github.com/consul-ocsp/consul-ocsp/plugin/canary"
	"github.com/consul-ocsp/consul-ocsp/plugin/event"
	"github.com/consul-ocsp/consul-ocsp/plugin/record"
)

// leadCanaries keeps the canaries' schedules until ctx ends. A command that runs
// when the configuration is read again is waited for.
func (p *parts) leadCanaries(ctx context.Context, board canary.Board, teller *event.Teller) error {
	board = ledBoard{board, &p.canary}
	defer p.canary.Follow()
	for ctx.Err() == nil {
		mapped, stop := p.settings.Load(), make(chan struct{})
		var group sync.WaitGroup
		for i := range mapped.Config.Jobs {
			j := &mapped.Config.Jobs[i]
			if j.Canary == nil {
				continue
			}
			l := canary.New(canary.Config{
				Settings: canarySettings(j), Board: board, Known: p.holding.prefixes,
				Certificate: func() (canary.Certificate, bool) { return p.holding.canary(j.Name, j.Canary.Certificate) },
				Tell:        func(f canary.Failure) { teller.Canary(event.CanaryNews(f)) },
				Logger:      p.options.Logger.Named("canary"),
			})
			group.Go(func() { l.Run(ctx, stop) }) // ends with ctx, or stop
		}
		select {
		case <-mapped.Replaced:
		case <-ctx.Done():
		}
		close(stop)
		group.Wait()
	}
	return nil
}

// ledBoard has this agent know at once what it keeps: the response that says
// revoked may come before Consul tells what was written there.
type ledBoard struct {
	canary.Board
	watch *canary.Watch
}

// KeepCanary keeps, then tells.
func (b ledBoard) KeepCanary(ctx context.Context, c record.Canary) error {
	err := b.Board.KeepCanary(ctx, c)
	if err == nil {
		b.watch.Lead(c)
	}
	return err
}

// Meta is what is published of a certificate's response. Where that does not say
// since when, this agent may know.
func (b ledBoard) Meta(ctx context.Context, id string) (m record.Meta, found bool, err error) {
	m, found, err = b.Board.Meta(ctx, id)
	if at := b.watch.PublishedAt(id); found && m.Published.IsZero() && !at.IsZero() {
		m.Published = at
	}
	return m, found, err
}

// awaitCanaries waits until it is known which certificates are revoked by plan,
// so that nobody is told of those. It does not wait for ever.
func (p *parts) awaitCanaries(ctx context.Context) {
	if !p.settings.Load().HasCanary() {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, unknownCanary/4)
	defer cancel()
	p.canary.Await(ctx)
}

// canary is the newest certificate of a name: the agent's own, else, where any node
// may move a name, one that was announced.
func (h *holding) canary(job, name string) (c canary.Certificate, found bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, own := range h.own {
		if own.Job == job && own.Name == name {
			c, found = canary.Certificate{ID: own.ID, Path: own.Path}, true
			break
		}
	}
	for _, own := range h.own {
		if found && own.ID == c.ID && own.Name != name {
			c.Shared = own.Job + "/" + own.Name
		}
	}
	var newest time.Time
	for a := range h.announced() {
		if !found && h.settings.Config.Announce.Names && a.Job() == job && a.Name() == name && a.NotBefore().After(newest) {
			c, newest = canary.Certificate{ID: a.ID()}, a.NotBefore()
		}
	}
	return c, found || !newest.IsZero()
}

// prefixes are the first digits of the ids of all certificates for which
// responses are fetched.
func (h *holding) prefixes() map[string]bool {
	all := map[string]bool{}
	for t := range h.targets() {
		all[t.ID[:record.IDPrefix]] = true
	}
	return all
}

// aloneBoard is where a standalone agent keeps rounds, and tells itself how far it
// is.
type aloneBoard struct{ p *parts }

// Canary is what was kept.
func (b aloneBoard) Canary(_ context.Context, job string) (record.Canary, error) {
	all, err := b.p.store.Canaries()
	if c, found := all[job]; found {
		return c, err
	}
	return record.Canary{Job: job}, err
}

// KeepCanary replaces that.
func (b aloneBoard) KeepCanary(_ context.Context, c record.Canary) error {
	if err := b.p.store.PutCanary(c); err != nil {
		return err
	}
	all, err := b.p.store.Canaries()
	if err == nil {
		b.p.setCanaries(all)
	}
	return err
}

// Nodes is the agent's own node, whatever is asked for.
func (b aloneBoard) Nodes(_ context.Context, names []string) (map[string]record.Node, error) {
	name := ownName(b.p.settings.Load().Config.NodeName)
	return map[string]record.Node{name: b.p.node(name, "")}, nil
}

// Meta is what is stored of a certificate's response.
func (b aloneBoard) Meta(_ context.Context, id string) (m record.Meta, found bool, err error) {
	st, found, err := b.p.store.Staple(id)
	return st.Meta, found, err
}

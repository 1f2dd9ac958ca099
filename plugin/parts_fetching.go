package plugin

import (
	"context"

	"golang.org/x/sync/errgroup"

	"github.com/consul-ocsp/consul-ocsp/plugin/fetcher"
)

// fetchAlone is the elected role where there is nobody to elect: the store is
// where responses are published.
func (p *parts) fetchAlone(ctx context.Context) error {
	p.awaitCanaries(ctx)
	teller := p.newTeller(ownName(p.settings.Load().Config.NodeName), p.store)
	f := fetcher.New(fetcher.Config{
		Store: p.store, Publisher: observedPublisher{p.store, teller, p.plannedAnywhere, p.canary.Publishing}, Client: p.client, Planned: p.plannedAnywhere,
		Ended: p.ended(!p.settings.Load().Config.HasRole("deliver")), Exchanged: p.exchanged, Logger: p.options.Logger.Named("fetcher"),
	})
	group, ctx := errgroup.WithContext(ctx) // every goroutine of it ends with ctx
	group.Go(func() error { return p.tell(ctx, teller, func() {}) })
	group.Go(func() error { return p.leadCanaries(ctx, aloneBoard{p}, teller) })
	group.Go(func() error { return p.fetch(ctx, f) })
	return group.Wait()
}

// aim gives a fetcher the targets of the holding as they are now. What is known
// and who is told stay together: an older view never comes after a newer one.
func (p *parts) aim(f *fetcher.Fetcher) {
	p.aiming.Lock()
	defer p.aiming.Unlock()
	f.SetEach(p.holding.targets())
}

// fetch runs a fetcher with the targets of the holding, as they change.
func (p *parts) fetch(ctx context.Context, f *fetcher.Fetcher) error {
	p.fetching.Store(f)
	defer p.fetching.Store(nil)
	group, ctx := errgroup.WithContext(ctx) // ends with ctx
	group.Go(func() error { return f.Run(ctx) })
	group.Go(func() error {
		p.aim(f)
		for {
			select {
			case <-p.askFetch:
			case <-p.retarget:
				p.aim(f)
			case <-ctx.Done():
				return nil
			}
		}
	})
	return group.Wait()
}

package plugin

import (
	"context"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/consul-ocsp/consul-ocsp/consul"
	"github.com/consul-ocsp/consul-ocsp/plugin/fetcher"
	"github.com/consul-ocsp/consul-ocsp/plugin/record"
	"github.com/consul-ocsp/consul-ocsp/plugin/settings"
	"github.com/consul-ocsp/consul-ocsp/plugin/store"
)

// gather is how long published changes are collected: those of one moment
// wake the cluster once.
const gather = time.Second

// lead is the elected role: it runs while the lock is held, which is as long
// as ctx.
//
// Each further datacenter has a lock of its own: see outlet.
func (p *parts) lead(ctx context.Context, term *consul.Term, who record.Leader) error {
	group, ctx := errgroup.WithContext(ctx) // every goroutine of it ends with ctx
	defer p.holding.forgetAll()
	p.metrics.Elected()
	p.awaitCanaries(ctx)
	teller := p.newTeller(who.Node, term)
	f := fetcher.New(fetcher.Config{
		Store: p.store, Publisher: observedPublisher{fanout{home: term, outlets: p.outlets}, teller, p.plannedAnywhere, p.canary.Publishing}, Client: p.client, Planned: p.plannedAnywhere,
		Gather: gather, Ended: p.ended(!p.settings.Load().Config.HasRole("deliver")), Exchanged: p.exchanged, Logger: p.options.Logger.Named("fetcher"),
	})
	for _, o := range p.outlets {
		group.Go(func() error {
			return o.campaign(ctx, term, who, func(ctx context.Context, term *consul.Term) error {
				return p.leadIn(ctx, term, o.datacenter, f, o.renamed, o.carry(term))
			})
		})
	}
	group.Go(func() error {
		return p.leadIn(ctx, term, "", f, p.renamed, func(ctx context.Context) error {
			group, ctx := errgroup.WithContext(ctx) // every goroutine of it ends with ctx
			group.Go(func() error { return p.tell(ctx, teller, teller.Leader) })
			group.Go(func() error { return p.fetch(ctx, f) })
			group.Go(func() error { return p.leadCanaries(ctx, everywhere{term, p.outlets}, teller) })
			return group.Wait()
		})
	})
	return group.Wait()
}

// leadIn is what a leader does in each datacenter; "" is its own. work is
// where they differ.
//
// What nodes announced is read first, since what is in Consul can be verified
// only with their certificates; then Consul and data_dir are reconciled, so
// that nothing that is fresh in either is fetched again; then work starts.
func (p *parts) leadIn(ctx context.Context, term *consul.Term, datacenter string, f *fetcher.Fetcher,
	renamed <-chan struct{}, work func(ctx context.Context) error) error {
	group, ctx := errgroup.WithContext(ctx) // every goroutine of it ends with ctx
	ready := make(chan struct{})
	first := true
	group.Go(func() error {
		return p.listen(ctx, term, datacenter, func() {
			if first {
				first = false
				close(ready)
			}
			wake(p.retarget)
			wake(p.reanswer)
			p.rename()
			wake(p.report)
		})
	})
	group.Go(func() error {
		select {
		case <-ready:
		case <-ctx.Done():
			return nil
		}
		if err := term.Reconcile(ctx, p.mirror()); err != nil {
			return err
		}
		group.Go(func() error { return term.Guard(ctx, p.mirror()) })
		group.Go(func() error { return p.publishNames(ctx, term, renamed) })
		group.Go(func() error { return p.answerRequests(ctx, term, f) })
		group.Go(func() error { return p.watchNodes(ctx, datacenter) })
		return work(ctx)
	})
	return group.Wait()
}

// listenNoMore lets go of what the nodes of a datacenter announced: another agent
// leads there, and fetches for them.
func (p *parts) listenNoMore(datacenter string) {
	if p.holding.forget(datacenter) {
		wake(p.retarget)
		wake(p.reanswer)
		p.rename()
	}
}

// listen keeps the holding in step with what the nodes of a datacenter announce,
// and has all of it told again where other issuers are trusted from now on: of
// what was judged not enough is kept to judge it again.
func (p *parts) listen(ctx context.Context, term *consul.Term, datacenter string, changed func()) error {
	for {
		by := p.settings.Load()
		listening, cancel := context.WithCancel(ctx)
		done := make(chan error, 1)
		go func() { // ends with listening
			done <- term.Announced(listening, announcedOptions(by, p.holding), p.holding.hear(by, datacenter, changed))
		}()
		for now := by; now.JudgesAs(by); now = p.settings.Load() {
			select {
			case err := <-done:
				cancel()
				return err
			case <-now.Replaced:
			}
		}
		cancel()
		if err := <-done; err != nil || ctx.Err() != nil {
			return err
		}
	}
}

// rename has the names published again, in each datacenter.
func (p *parts) rename() {
	wake(p.renamed)
	for _, o := range p.outlets {
		wake(o.renamed)
	}
}

// announcedOptions say which announcements the leader follows.
func announcedOptions(p *settings.Settings, h *holding) consul.AnnouncedOptions {
	return consul.AnnouncedOptions{TTL: p.Config.Announce.CertificateTTL, Max: p.Config.Announce.Max, Configured: h.has}
}

// publishNames keeps the ids behind configured names in step with the
// certificates. A name that can't be written now is written with the next
// change, or by the next leader.
func (p *parts) publishNames(ctx context.Context, term *consul.Term, renamed <-chan struct{}) error {
	for {
		if err := term.Names(ctx, p.holding.names()); err != nil && ctx.Err() == nil {
			p.options.Logger.Warn("names were not published", "error", err)
		}
		select {
		case <-renamed:
		case <-ctx.Done():
			return nil
		}
	}
}

// mirror shows the leader's data_dir to the part that compares it with Consul:
// those of its responses that are still wanted.
func (p *parts) mirror() consul.Mirror { return mirror{store: p.store, holding: p.holding} }

type mirror struct {
	store   *store.Store
	holding *holding
}

// Metas are the metas of what is stored and, verified again, still stands.
func (m mirror) Metas() (map[string]record.Meta, error) {
	metas := map[string]record.Meta{}
	for t := range m.holding.targets() {
		st, found, err := m.store.Staple(t.ID)
		if err != nil || !found {
			continue // fetched anew
		}
		if _, err := fetcher.Learn(st, t, time.Now()); err == nil {
			metas[t.ID] = st.Meta
		}
	}
	return metas, nil
}

// Staple is a stored response.
func (m mirror) Staple(id string) (record.Staple, bool, error) { return m.store.Staple(id) }

// Learn keeps a response that Consul has and data_dir has not, if it verifies.
func (m mirror) Learn(_ context.Context, st record.Staple) error {
	t, ok := m.holding.target(st.ID)
	if !ok {
		return errUnwanted
	}
	facts, err := fetcher.Learn(st, t, time.Now())
	if err != nil {
		return err
	}
	_, err = m.store.Put(fetcher.NewStaple(facts, t, st.Meta.Responder))
	return err
}

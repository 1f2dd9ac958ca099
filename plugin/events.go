package plugin

import (
	"context"
	"iter"
	"os"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/consul-ocsp/consul-ocsp/plugin/event"
	"github.com/consul-ocsp/consul-ocsp/plugin/fetcher"
	"github.com/consul-ocsp/consul-ocsp/plugin/record"
	"github.com/consul-ocsp/consul-ocsp/plugin/status"
)

// observeEvery is how often all certificates are looked at for events. What was
// published is looked at when it is.
const observeEvery = 15 * time.Second

// newTeller makes who tells the events of the fetching role, under the name of
// this node.
func (p *parts) newTeller(node string, memory event.Memory) *event.Teller {
	return event.New(event.Config{
		Node: node, Memory: memory, Logger: p.options.Logger.Named("event"), UserAgent: "consul-ocsp/" + p.options.Version,
		Settings: func() event.Settings {
			e := p.settings.Load().Config.OnEvent
			return event.Settings{Command: e.Command, Webhook: e.Webhook, Events: e.Events, Timeout: e.Timeout}
		},
	})
}

// tell runs a teller, and lets it look at the certificates of the fetcher that
// runs, until ctx ends. The teller waits for nothing of the fetcher's, nor the
// other way round.
func (p *parts) tell(ctx context.Context, t *event.Teller, ready func()) error {
	p.telling.Store(t)
	defer p.telling.Store(nil)
	group, ctx := errgroup.WithContext(ctx) // ends with ctx
	group.Go(func() error { t.Run(ctx, ready); return nil })
	group.Go(func() error {
		tick := time.NewTicker(observeEvery)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				if f := p.fetching.Load(); f != nil {
					t.Observe(observed(f, p.plannedAnywhere), true)
				}
			case <-ctx.Done():
				return nil
			}
		}
	})
	return group.Wait()
}

// observed are the certificates of a fetcher, of which some are revoked by plan.
func observed(f *fetcher.Fetcher, planned func(id string) bool) iter.Seq[event.Observation] {
	return func(yield func(event.Observation) bool) {
		f.Each(func(s fetcher.State) {
			// A teller goes through all of it.
			yield(event.Observation{
				ID: s.ID, Job: s.Job, Name: s.Name, Names: s.Names, MustStaple: s.MustStaple,
				Status: s.Status, ThisUpdate: s.ThisUpdate, Until: s.Until,
				RevokedAt: s.RevokedAt, RevocationReason: s.RevocationReason, Reason: s.Reason, Error: s.Error, Planned: s.Status == status.Revoked && planned(s.ID),
			})
		})
	}
}

// observedPublisher shows a teller what was published.
type observedPublisher struct {
	fetcher.Publisher
	teller  *event.Teller
	planned func(id string) bool
	// publishing is called before.
	publishing func(id string, revoked bool)
}

// Publish publishes, then shows.
func (o observedPublisher) Publish(ctx context.Context, list []record.Staple) error {
	for _, st := range list {
		o.publishing(st.ID, st.Meta.Status == status.Revoked)
	}
	if err := o.Publisher.Publish(ctx, list); err != nil {
		return err
	}
	o.teller.Observe(func(yield func(event.Observation) bool) {
		for _, st := range list {
			seen := observation(st.ID, st.Meta)
			seen.Planned = st.Meta.Status == status.Revoked && o.planned(st.ID)
			if !yield(seen) {
				return
			}
		}
	}, false)
	return nil
}

func observation(id string, m record.Meta) event.Observation {
	return event.Observation{
		ID: id, Job: m.Job, Name: m.Name, Names: m.Names, MustStaple: m.MustStaple,
		Status: m.Status, ThisUpdate: m.ThisUpdate, Until: m.Until,
		RevokedAt: m.RevokedAt, RevocationReason: m.RevocationReason,
	}
}

// ownName is the node's name where no Consul knows one.
func ownName(configured string) string {
	if configured != "" {
		return configured
	}
	host, err := os.Hostname()
	if err != nil {
		return "this host"
	}
	return host
}

// flushTime bounds how long a pass that ends waits for events that it has to
// tell, on top of two timeouts of theirs.
const flushTime = 5 * time.Second

// tellResults tells what a pass found out.
func (p *parts) tellResults(ctx context.Context, node string, memory event.Memory, results []fetcher.Result) {
	t := p.newTeller(node, memory)
	on := p.settings.Load().Config.OnEvent
	if len(on.Command) == 0 && on.Webhook == "" {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, 2*on.Timeout+flushTime)
	defer cancel()
	t.Flush(ctx, func() {
		t.Observe(func(yield func(event.Observation) bool) {
			for _, r := range results {
				o := event.Observation{ID: r.Target.ID}
				if r.Staple != nil {
					o = observation(r.Target.ID, r.Staple.Meta)
				}
				if o.Reason = r.Reason; r.Err != nil {
					o.Error = r.Err.Error()
				}
				if !yield(o) {
					return
				}
			}
		}, false)
	})
}

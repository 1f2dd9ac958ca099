package plugin

import (
	"context"
	"math/rand/v2"
	"time"

	"github.com/hashicorp/go-hclog"
	"golang.org/x/sync/errgroup"

	"github.com/consul-ocsp/consul-ocsp/plugin/fetcher"
	"github.com/consul-ocsp/consul-ocsp/plugin/writer"
)

const (
	// fallbackIdle is how long a node whose responses are fresh, or whose
	// cluster has a leader, does not look again by itself.
	fallbackIdle = time.Minute
	// fallbackLook is how often a node looks whether an outage is over.
	fallbackLook = 5 * time.Second
	// fallbackSpacing is the least time between two looks.
	fallbackSpacing = time.Second
)

// fallback lets a node fetch for its own certificates while the cluster can't:
// Consul is silent, or nobody leads, and the response has used up most of its
// life or was never there. It belongs to one goroutine.
//
// As long as the node's responses are fresh it asks Consul nothing.
type fallback struct {
	p        *parts
	f        *fetcher.Fetcher
	instance string
	logger   hclog.Logger

	outage outage    // since is zero while there is none, or none that matters
	on     *alone    // what the others of this agent are shown; nil: no fallback
	kept   time.Time // when data_dir was told of it last
}

// wanted is one of the node's own certificates, with what is held for it.
type wanted struct {
	target fetcher.Target
	held   writer.Info
}

func (w wanted) life() life { return life{this: w.held.ThisUpdate, until: w.held.Until} }

// fallBack runs the fallback until ctx ends.
func (p *parts) fallBack(ctx context.Context, instance string) error {
	select {
	case <-p.read:
	case <-ctx.Done():
		return nil
	}
	b := &fallback{
		p: p, instance: instance, logger: p.options.Logger.Named("fallback"),
		f: fetcher.New(fetcher.Config{
			Store: p.store, Publisher: p.joint, Client: p.client, Prompt: true,
			Ended: p.ended(false), Exchanged: p.exchanged, Logger: p.options.Logger.Named("fallback"),
		}),
	}
	b.forget()                              // of the agent before this one
	group, ctx := errgroup.WithContext(ctx) // ends with ctx
	group.Go(func() error { return b.f.Run(ctx) })
	group.Go(func() error {
		for ctx.Err() == nil {
			wait := b.step(ctx)
			sleep(ctx, fallbackSpacing, nil)
			sleep(ctx, wait-fallbackSpacing, p.relook)
		}
		return nil
	})
	return group.Wait()
}

// sleep returns after d, or before when early has something or ctx ends.
func sleep(ctx context.Context, d time.Duration, early <-chan struct{}) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-early:
	case <-ctx.Done():
	}
}

// step looks once, and says how long until the next look.
func (b *fallback) step(ctx context.Context) time.Duration {
	cfg := b.p.settings.Load().Config
	if !cfg.Fallback {
		b.back("fallback is switched off")
		return fallbackIdle
	}
	now := time.Now().Round(0) // what ends when is told by the clock on the wall
	all := b.p.wanted(now)
	if due := firstUsedUp(all); b.on == nil && (len(all) == 0 || due.After(now)) {
		b.outage = outage{}
		if len(all) == 0 {
			return fallbackIdle
		}
		return min(fallbackIdle, due.Sub(now))
	}
	led, err := b.led(ctx)
	switch {
	case ctx.Err() != nil:
		return 0
	case led:
		b.back("an agent leads")
		return time.Duration((0.5 + rand.Float64()) * float64(fallbackIdle))
	}
	if b.outage.since.IsZero() {
		b.outage.since = now
	}
	b.outage.silent, b.outage.splay = err != nil, cfg.Announce.Splay
	b.outage.takeover = 3 * cfg.Consul.SessionTTL
	return b.fetch(all, now, err)
}

// firstUsedUp is when the first of the responses has used up its life; zero
// where one is missing, and where there are none.
func firstUsedUp(all []wanted) time.Time {
	var first time.Time
	for i, w := range all {
		if mark := w.life().usedUp(); i == 0 || mark.Before(first) {
			first = mark
		}
	}
	return first
}

// led reports whether somebody fetches for this node.
func (b *fallback) led(ctx context.Context) (bool, error) {
	if b.p.fetching.Load() != nil {
		return true, nil
	}
	return b.p.consul.Led(ctx)
}

// fetch has those fetched whose time has come in the outage, and says how long
// until that of the next. err is Consul's; nil: nobody leads.
func (b *fallback) fetch(all []wanted, now time.Time, err error) time.Duration {
	var due []fetcher.Target
	wait := fallbackLook
	for _, w := range all {
		o := b.outage
		o.pace = w.target.Settings.MaxDelay
		at := o.begins(w.life(), chance(b.instance, w.target.ID, w.held.SHA256))
		if at.After(now) {
			wait = min(wait, at.Sub(now))
			continue
		}
		due = append(due, w.target)
	}
	b.f.Set(due)
	if b.on != nil || len(due) > 0 {
		b.show(now, err)
	}
	return wait
}

// wanted are the node's certificates for which somebody can be asked.
func (p *parts) wanted(now time.Time) []wanted {
	held := map[string]writer.Info{}
	for _, s := range p.writer.States() {
		if old := held[s.ID]; old.ThisUpdate.IsZero() || s.Held.ThisUpdate.After(old.ThisUpdate) {
			held[s.ID] = s.Held
		}
	}
	var all []wanted
	for _, t := range p.holding.ownTargets() {
		asked := !t.Settings.Off && len(t.Settings.Responders)+len(t.Leaf.OCSPServer) > 0
		if asked && now.Before(t.Leaf.NotAfter) {
			all = append(all, wanted{target: t, held: held[t.ID]})
		}
	}
	return all
}

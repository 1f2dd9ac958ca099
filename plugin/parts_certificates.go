package plugin

import (
	"context"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/consul-ocsp/consul-ocsp/plugin/inventory"
	"github.com/consul-ocsp/consul-ocsp/plugin/settings"
)

// watchCertificates keeps the holding in step with the files, and with the
// configuration when that changes.
func (p *parts) watchCertificates(ctx context.Context) error {
	for ctx.Err() == nil {
		watching, cancel := context.WithCancel(ctx)
		mapped := p.settings.Load()
		group, watching := errgroup.WithContext(watching) // ends with cancel, below
		group.Go(func() error {
			return inventory.Watch(watching, p.views.sources(mapped), func(found []inventory.Certificate, problems []inventory.Problem) {
				p.certificates(mapped, found, problems)
			}, inventory.WatchOptions{Logger: p.options.Logger.Named("inventory")})
		})
		p.untilResettled(watching)
		cancel()
		if err := group.Wait(); err != nil && ctx.Err() == nil {
			return fmt.Errorf("watching certificates: %w", err)
		}
	}
	return nil
}

// untilResettled waits for other settings, or the end of ctx.
func (p *parts) untilResettled(ctx context.Context) {
	for {
		select {
		case <-p.askWatch:
		case <-p.resettled:
			return
		case <-p.rediscovered:
			return
		case <-ctx.Done():
			return
		}
	}
}

// certificates takes in what the inventory found.
func (p *parts) certificates(mapped *settings.Settings, found []inventory.Certificate, problems []inventory.Problem) {
	p.holding.take(mapped, found, problems)
	p.changed()
	wake(p.lacking)
	p.once.Do(func() { close(p.read) })
}

// changed hands on a holding that has changed.
func (p *parts) changed() {
	p.writer.Set(p.holding.deliveries())
	for _, c := range []chan struct{}{p.report, p.retarget, p.check, p.relook, p.reanswer} {
		wake(c)
	}
	p.rename()
	select {
	case <-p.read:
		wake(p.announce)
	default:
		// The first time is when announcing begins, splayed: many nodes may
		// start together.
	}
}

// findIssuers downloads issuers that no file has, and tries again while one is
// lacking. It is a loop of its own, so that a CA that does not answer keeps
// nobody from noticing a changed file.
func (p *parts) findIssuers(ctx context.Context) error {
	again := time.NewTimer(0)
	defer again.Stop()
	for {
		select {
		case <-p.lacking:
		case <-again.C:
		case <-ctx.Done():
			return nil
		}
		if !p.holding.complete(ctx, p.changed) {
			again.Reset(issuerRetry)
		}
	}
}

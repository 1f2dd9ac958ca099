package plugin

import (
	"context"
	"time"

	"github.com/consul-ocsp/consul-ocsp/plugin/store"
)

const (
	// The history of a certificate that is no longer here stays for a year, and
	// the month in which an audit of it begins; of all these there are no more than
	// so many bytes. A certificate for which no response has come for a month, and
	// that no file here and no node names, is no longer here.
	keptAfterLast = 400 * 24 * time.Hour
	leftAfter     = 31 * 24 * time.Hour
	mostLeft      = 8 << 30

	forgetFirst = time.Hour
	forgetEvery = 24 * time.Hour
)

// forgetHistories removes what is kept too long, once a day, until ctx ends.
// While no history is kept nothing is looked at.
func (p *parts) forgetHistories(ctx context.Context) {
	for wait := forgetFirst; ctx.Err() == nil; wait = forgetEvery {
		sleep(ctx, wait, nil)
		if ctx.Err() == nil && p.settings.Load().History && p.hasRead() {
			p.forget(time.Now())
		}
	}
}

func (p *parts) forget(now time.Time) {
	held := map[string]bool{}
	for _, c := range p.holding.files() {
		held[c.ID] = true
	}
	for _, id := range p.holding.keptIDs() {
		held[id] = true
	}
	n, err := p.store.ForgetHistories(store.Forget{
		Held:   func(id string) bool { return held[id] },
		Before: now.Add(-keptAfterLast), LeftBefore: now.Add(-leftAfter), Most: mostLeft,
	})
	switch {
	case err != nil:
		p.options.Logger.Warn("histories of certificates that are no longer here were not all removed", "error", err)
	case n > 0:
		p.options.Logger.Info("histories of certificates that are no longer here were removed", "certificates", n)
	}
}

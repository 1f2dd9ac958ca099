package plugin

import (
	"context"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/consul-ocsp/consul-ocsp/plugin/listener"
	"github.com/consul-ocsp/consul-ocsp/plugin/pull"
)

const (
	// answerTimeout bounds one OCSP request.
	answerTimeout = 5 * time.Second
	// refusedRetry is when responses that were refused are looked at again.
	refusedRetry = time.Minute
)

// answer answers OCSP requests for this node's certificates from data_dir, until
// ctx ends. An address that can't be had is said and tried again: staples do not
// wait for it.
func (p *parts) answer(ctx context.Context, address string) error {
	logger := p.options.Logger.Named("pull")
	a := pull.New(pull.Config{Logger: logger})
	p.answering.Store(a)
	defer p.answering.Store(nil)
	look := make(chan struct{}, 1)
	group, ctx := errgroup.WithContext(ctx) // every goroutine of it ends with ctx
	group.Go(func() error {
		listener.Keep(ctx, listener.Options{
			Address: address, Handler: a, ReadTimeout: answerTimeout, WriteTimeout: answerTimeout, Logger: logger,
		})
		return nil
	})
	group.Go(func() error { return p.store.Follow(ctx, a.IDs, a.Holds, a.Deliver, look) })
	group.Go(func() error {
		again := time.NewTicker(refusedRetry)
		defer again.Stop()
		a.Set(p.holding.answered())
		for {
			wake(look)
			select {
			case <-p.reanswer:
				a.Set(p.holding.answered())
			case <-again.C:
				if !a.Refused() {
					continue
				}
			case <-ctx.Done():
				return nil
			}
		}
	})
	return group.Wait()
}

// answered are the certificates that requests are answered for.
func (h *holding) answered() []pull.Certificate {
	h.mu.Lock()
	defer h.mu.Unlock()
	list := make([]pull.Certificate, 0, len(h.own))
	for _, c := range h.own {
		settings := h.plan.fetch(c.Job, c.Name).settings
		list = append(list, pull.Certificate{
			ID: c.ID, Leaf: c.Leaf, Issuer: c.Issuer,
			AllowSHA1Signatures: settings.AllowSHA1Signatures, TrustedResponders: settings.TrustedResponders,
		})
	}
	return list
}

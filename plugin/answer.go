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

// answer answers OCSP requests from data_dir until ctx ends. An address that
// can't be had is complained of and tried again: staples do not wait for it.
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

// answered are the certificates that requests are answered for: those of this
// node, and while it leads, those of all nodes.
func (h *holding) answered() []pull.Certificate {
	var list []pull.Certificate
	for t := range h.targets() {
		list = append(list, pull.Certificate{
			ID: t.ID, Pair: t.Pair(), AllowSHA1Signatures: t.Settings.AllowSHA1Signatures, TrustedResponders: t.Settings.TrustedResponders,
		})
	}
	return list
}

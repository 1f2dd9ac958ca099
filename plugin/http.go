package plugin

import (
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/consul-ocsp/consul-ocsp/hclconfig"
	"github.com/consul-ocsp/consul-ocsp/plugin/listener"
	"github.com/consul-ocsp/consul-ocsp/plugin/record"
	"github.com/consul-ocsp/consul-ocsp/plugin/status"
)

const (
	// requestTimeout bounds a request for status. The answer may be large, and who
	// gets it far away.
	requestTimeout = 5 * time.Second
	showTimeout    = 30 * time.Second
	// viewTimeout bounds how long Consul is waited for, while those who ask do.
	viewTimeout = 5 * time.Second
)

// show answers over HTTP what is known, until ctx ends.
func (p *parts) show(ctx context.Context, block *hclconfig.HTTP) error {
	logger := p.options.Logger.Named("http")
	handler := status.Handler(ctx, status.HandlerOptions{Read: p.view, Live: p.live, Ready: p.ready, Own: p.own, Here: p.here, Has: p.has, History: p.readHistory, Responders: p.asking, Expected: p.expectedHosts(block), Metrics: p.metrics.Handler()})
	o := listener.Options{Address: block.Address, Handler: handler, ReadTimeout: requestTimeout, WriteTimeout: showTimeout, Logger: logger}
	group, ctx := errgroup.WithContext(ctx) // every goroutine of it ends with ctx
	if block.TLS != nil {
		files := newServerFiles(*block.TLS, logger)
		o.TLS = files.config()
		group.Go(func() error { files.follow(ctx, p.reread); return nil })
	}
	group.Go(func() error { listener.Keep(ctx, o); return nil })
	return group.Wait()
}

// view is what Status says, read by the agent's own connections. Without Consul the
// agent has this node's state itself, and newer than in data_dir.
func (p *parts) view(ctx context.Context) (*status.Report, error) {
	cfg := p.settings.Load().Config
	if p.consul == nil {
		return localStatus(cfg, p.selfNow())
	}
	ctx, cancel := context.WithTimeoutCause(ctx, viewTimeout, fmt.Errorf("no answer from Consul within %v", viewTimeout))
	defer cancel()
	report, err := reportOf(ctx, p.consul, cfg)
	if err != nil {
		report = lonely(cfg, p.selfNow(), err)
	}
	return report, err
}

// selfNow is what this node says of itself now; nil before its certificates are read.
func (p *parts) selfNow() *record.Node {
	if !p.hasRead() {
		return nil
	}
	n := p.node(p.self(), "")
	return &n
}

// liveTimeout is how long the agent's loops may take to answer.
const liveTimeout = 3 * time.Second

// live tells whether the loops of the agent still turn.
func (p *parts) live(ctx context.Context) status.Health {
	asked, cancel := context.WithTimeout(ctx, liveTimeout)
	defer cancel()
	// Where a lock is held for ever, whoever asks waits for ever: only one does.
	looked := p.looking.DoChan("alive", func() (any, error) {
		looking, cancel := context.WithTimeout(context.WithoutCancel(ctx), liveTimeout)
		defer cancel()
		if !p.hasRead() {
			return true, nil // there is much to read
		}
		answers := p.alive(looking, func() bool { return true })
		p.tally() // takes the locks that the others work under
		return answers, nil
	})
	h := status.Health{OK: true}
	select {
	case is := <-looked:
		h.OK, _ = is.Val.(bool)
	case <-asked.Done():
		h.OK = errors.Is(asked.Err(), context.Canceled)
	}
	if !h.OK {
		h.Reasons = []string{fmt.Sprintf("a loop of the agent has not answered for %v", liveTimeout)}
	}
	return h
}

// hasRead tells whether the certificates were read once.
func (p *parts) hasRead() bool {
	select {
	case <-p.read:
		return true
	default:
		return false
	}
}

// ready tells whether this node's servers have the staples that they should: it
// is not while the check of the node's service in Consul would be critical, nor
// before the certificates are read.
func (p *parts) ready(context.Context) status.Health {
	if !p.hasRead() {
		return status.Health{Reasons: []string{"the certificates are not read yet"}}
	}
	now := time.Now()
	w := judge(p.delivered(now), p.troubles(), p.lastSync(now), now)
	return status.Health{OK: len(w.critical) == 0, Reasons: w.critical, Warnings: w.warnings}
}

// lastSync is when Consul was last known to have nothing new: at the start, for
// what is to come. Standalone there is nothing to wait for.
func (p *parts) lastSync(now time.Time) time.Time {
	if p.consul == nil {
		return now
	}
	if sync := p.consul.LastSync(); sync.After(p.started) {
		return sync
	}
	return p.started
}

package plugin

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"
	"golang.org/x/sync/singleflight"

	"github.com/consul-ocsp/consul-ocsp/consul"
	"github.com/consul-ocsp/consul-ocsp/hclconfig"
	"github.com/consul-ocsp/consul-ocsp/plugin/canary"
	"github.com/consul-ocsp/consul-ocsp/plugin/chronicle"
	"github.com/consul-ocsp/consul-ocsp/plugin/event"
	"github.com/consul-ocsp/consul-ocsp/plugin/fetcher"
	"github.com/consul-ocsp/consul-ocsp/plugin/haproxytarget"
	"github.com/consul-ocsp/consul-ocsp/plugin/issuer"
	"github.com/consul-ocsp/consul-ocsp/plugin/pull"
	"github.com/consul-ocsp/consul-ocsp/plugin/responder"
	"github.com/consul-ocsp/consul-ocsp/plugin/settings"
	"github.com/consul-ocsp/consul-ocsp/plugin/status"
	"github.com/consul-ocsp/consul-ocsp/plugin/store"
	"github.com/consul-ocsp/consul-ocsp/plugin/writer"
)

// parts are one agent's parts, wired. What they share is in the holding; they
// tell each other of a change in it by the wake channels.
type parts struct {
	options Options
	store   *store.Store
	client  *responder.Client
	consul  *consul.Client // nil: standalone
	holding *holding
	writer  *writer.Writer
	views   views
	// joint is the writer's source; nil: standalone.
	joint   *joint
	outlets []*outlet // the further datacenters that this agent publishes to
	targets *settings.Targets
	started time.Time

	// adopted is what came from HAProxies, by id; for a sync that adopts.
	adopted map[string]adopted
	updates *updateLog

	aiming sync.Mutex
	// fetching is the fetcher that runs; nil while another agent leads.
	fetching atomic.Pointer[fetcher.Fetcher]
	// alone is set while the node fetches for itself.
	alone atomic.Pointer[alone]
	// answering is who answers requests, if the configuration has it.
	answering atomic.Pointer[pull.Answerer]
	// telling is who tells events; nil while another agent leads.
	telling atomic.Pointer[event.Teller]

	// name is the node's in Consul, once it is claimed.
	name atomic.Pointer[string]

	// read is closed, once, when the certificates were read for the first time.
	read chan struct{}
	once sync.Once

	settings  atomic.Pointer[settings.Settings]
	resettled chan struct{}
	lacking   chan struct{}
	announce  chan struct{}
	report    chan struct{}
	// refreshed: a newer response is delivered, and nothing else is new.
	refreshed chan struct{}
	retarget  chan struct{}
	renamed   chan struct{}
	check     chan struct{}
	// reanswer: there are other certificates to answer requests for.
	reanswer chan struct{}
	// reread: the files of http { tls } may have changed.
	reread chan struct{}
	relook chan struct{}
	relist chan struct{}
	// rediscovered tells of other files that HAProxy named.
	rediscovered chan struct{}
	// metrics are told what happens; nil: nobody asks for them.
	metrics *status.Metrics
	// responders hear of exchanges; nil as metrics are.
	responders *status.Responders
	counted    counted
	lag        lag
	canary     canary.Watch
	// chronicle notes what is kept as evidence.
	chronicle *chronicle.Chronicle

	// Loops that receive from these are alive.
	askWatch, askFetch chan struct{}
	looking            singleflight.Group
}

func newParts(cfg *hclconfig.Config, o Options) (*parts, error) {
	t := &settings.Targets{Logger: o.Logger}
	mapped, err := settings.New(cfg, t)
	if err != nil {
		return nil, err
	}
	data, err := store.Open(cfg.DataDir)
	if err != nil {
		return nil, err
	}
	p := &parts{
		options: o, store: data, targets: t, started: time.Now(), read: make(chan struct{}),
		client:    responder.New(responder.Config{UserAgent: "consul-ocsp/" + o.Version}),
		resettled: make(chan struct{}, 1), lacking: make(chan struct{}, 1),
		announce: make(chan struct{}, 1), report: make(chan struct{}, 1), refreshed: make(chan struct{}, 1), retarget: make(chan struct{}, 1), renamed: make(chan struct{}, 1), check: make(chan struct{}, 1), relook: make(chan struct{}, 1),
		reanswer: make(chan struct{}, 1), reread: make(chan struct{}, 1), relist: make(chan struct{}, 1), rediscovered: make(chan struct{}, 1),
		askWatch: make(chan struct{}), askFetch: make(chan struct{}),
	}
	p.settings.Store(mapped)
	if cfg.HTTP != nil {
		p.metrics, p.responders = status.NewMetrics(p.sample), status.NewResponders()
		p.lag.metrics = p.metrics
	}
	p.holding = &holding{issuers: issuer.Finder{Store: data, Client: p.client}, logger: o.Logger, settings: mapped}
	p.keepHistory()
	if cfg.Consul != nil {
		p.consul, err = connect(cfg.Consul, "", o.Logger, func(c *consul.Config) {
			c.Leads = cfg.HasRole("fetch")
			c.OnConnection = func(bool, error) { wake(p.relook) }
			c.OnRequest = p.metrics.Asked
		})
		if err != nil {
			return nil, err
		}
		if p.outlets, err = newOutlets(cfg.Consul, o.Logger, func() { wake(p.report) }, p.listenNoMore); err != nil {
			return nil, err
		}
		t.Turns = &haproxytarget.Turns{Cluster: p.consul, Who: p.reloader}
		p.joint = &joint{cluster: p.consul, store: data, logger: o.Logger.Named("fallback")}
	}
	p.updates = &updateLog{logger: o.Logger, on: func() bool { return p.settings.Load().Config.LogOCSPUpdate }}
	p.writer = writer.New(writer.Config{
		Store: data, TrustedFolders: cfg.TrustedFolders, Logger: o.Logger.Named("writer"),
		Progress: func(s writer.State) {
			p.updates.applied(s)
			p.lag.applied(s)
			p.chronicle.Applied(s)
			p.canaryApplied(s)
		}, Pushed: p.metrics.Pushed,
		Changed: func() { wake(p.report); wake(p.check) }, Refreshed: func() { wake(p.refreshed) },
		Stepped: func(done, total int) {
			p.options.says(Progress{Doing: "writing and pushing", Done: done, Total: total})
		},
	})
	return p, nil
}

// wake tells a loop to look again; one that was told already is not told
// twice.
func wake(c chan<- struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// change takes on a configuration that differs only in its jobs and in how to
// fetch.
func (p *parts) change(cfg *hclconfig.Config) error {
	mapped, err := settings.New(cfg, p.targets)
	if err != nil {
		return err
	}
	if p.consul != nil {
		if err := p.consul.ReloadToken(); err != nil {
			return err
		}
		for _, o := range p.outlets {
			if err := o.client.ReloadToken(); err != nil {
				return err
			}
		}
	}
	close(p.settings.Swap(mapped).Replaced)
	wake(p.resettled)
	wake(p.check)
	wake(p.relook)
	wake(p.relist)
	wake(p.reread)
	return nil
}

// run runs the parts that the roles ask for until ctx ends.
func (p *parts) run(ctx context.Context) error {
	cfg := p.settings.Load().Config
	group, ctx := errgroup.WithContext(ctx) // every goroutine of it ends with ctx
	group.Go(func() error { return p.watchCertificates(ctx) })
	group.Go(func() error { return p.findIssuers(ctx) })
	group.Go(func() error { return p.measure(ctx) })
	group.Go(func() error { trim(ctx, p.options.Settled); return nil })
	group.Go(func() error { return p.chronicle.Run(ctx) })
	group.Go(func() error { p.followCanaries(ctx); return nil })
	group.Go(func() error { p.forgetHistories(ctx); return nil })
	if cfg.HasRole("deliver") {
		group.Go(func() error { return p.writer.Run(ctx, p.source()) })
		group.Go(func() error { return p.watchServed(ctx) })
	}
	if cfg.Pull != nil {
		group.Go(func() error { return p.answer(ctx, cfg.Pull.Address) })
	}
	if cfg.HTTP != nil {
		group.Go(func() error { return p.show(ctx, cfg.HTTP) })
	}
	switch {
	case p.consul != nil:
		group.Go(func() error { return p.join(ctx) })
	default:
		group.Go(func() error { return p.reportAlone(ctx) })
		if cfg.HasRole("fetch") {
			group.Go(func() error { return p.fetchAlone(ctx) })
		}
	}
	err := group.Wait()
	if errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}

// source is where the writer hears of new responses.
func (p *parts) source() writer.Source {
	if p.consul != nil {
		return p.lag.follow(p.joint, p.started)
	}
	return p.store
}

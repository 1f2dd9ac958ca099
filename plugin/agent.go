package plugin

import (
	"context"
	"reflect"
	"sync"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/go-metrics"

	"github.com/consul-ocsp/consul-ocsp/hclconfig"
)

// Options are what an agent needs besides its configuration.
type Options struct {
	// Version is the program's, for others to see.
	Version string
	Logger  hclog.Logger
	// Metrics is where an agent's figures go; nil: nowhere.
	Metrics *metrics.Metrics
	// Progress is told how far a pass has come, often and from one goroutine at a
	// time; it must return soon. nil: nobody is told. Agents have no passes.
	Progress func(Progress)
	// Settled, if set, is called once what a start takes is over, and again where a
	// changed configuration takes another start.
	Settled func()
}

// Agent runs the roles that its configuration gives it. Run is called once;
// Reload and Stop may be called from anywhere while it runs.
type Agent struct {
	options Options

	mu      sync.Mutex
	current *parts
	// next takes the parts that replace the current ones after a change that
	// they can't take on while they run.
	next chan *parts
	stop chan struct{}
	once sync.Once
}

// New maps a checked configuration to parts that are ready to run. It opens
// data_dir and reads the files of certificates that are trusted; it asks
// nobody anything yet.
func New(cfg *hclconfig.Config, o Options) (*Agent, error) {
	p, err := newParts(cfg, o)
	if err != nil {
		return nil, err
	}
	return &Agent{options: o, current: p, next: make(chan *parts, 1), stop: make(chan struct{})}, nil
}

// Run runs until ctx ends or Stop is called, then releases what it holds in
// Consul and returns nil. An error is one that no waiting repairs, such as a
// node name that another agent uses.
func (a *Agent) Run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	for {
		p := a.parts()
		next, err := a.runParts(ctx, p)
		if next == nil {
			return err
		}
		a.options.Logger.Info("parts are started again with the new configuration")
	}
}

// runParts runs p until the agent is to stop (next is nil) or other parts are
// to run.
func (a *Agent) runParts(ctx context.Context, p *parts) (next *parts, err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	done := make(chan error, 1)
	go func() { done <- p.run(ctx) }() // ends with ctx; every path below waits for it
	select {
	case err := <-done:
		return nil, err
	case <-a.stop:
	case next = <-a.next:
	case <-ctx.Done():
	}
	cancel()
	return next, <-done
}

// Reload takes on a changed configuration. Jobs, certificates, targets and how
// to fetch change while everything goes on; a change of where Consul or
// data_dir is starts the parts again. On an error nothing has changed and the
// old configuration goes on.
func (a *Agent) Reload(cfg *hclconfig.Config) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if sameFrame(a.current.settings.Load().Config, cfg) {
		return a.current.change(cfg)
	}
	p, err := newParts(cfg, a.options)
	if err != nil {
		return err
	}
	a.current = p
	select {
	case <-a.next: // not yet taken; p is newer
	default:
	}
	a.next <- p
	return nil
}

// Stop makes Run return. It does not wait for it.
func (a *Agent) Stop() { a.once.Do(func() { close(a.stop) }) }

// sameFrame reports whether b differs from a only in what running parts can
// take on.
func sameFrame(a, b *hclconfig.Config) bool {
	frame := func(c *hclconfig.Config) any {
		var block hclconfig.Consul
		if c.Consul != nil {
			block = *c.Consul
			block.Source = hclconfig.Source{}
		}
		answers := ""
		if c.Pull != nil {
			answers = c.Pull.Address
		}
		var shows hclconfig.HTTP
		if c.HTTP != nil {
			shows = *c.HTTP
			shows.Source = hclconfig.Source{}
		}
		return []any{answers, shows, c.Consul == nil, block, string(block.Token), c.Roles, c.NodeName, c.DataDir, c.LockDir, c.TrustedFolders, c.Announce}
	}
	return reflect.DeepEqual(frame(a), frame(b))
}

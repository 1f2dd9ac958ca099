package plugin

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/consul-ocsp/consul-ocsp/consul"
	"github.com/consul-ocsp/consul-ocsp/plugin/fetcher"
	"github.com/consul-ocsp/consul-ocsp/plugin/record"
	"github.com/consul-ocsp/consul-ocsp/plugin/writer"
)

// errUnwanted says that a response in Consul is for a certificate that nobody
// has announced and that is not configured here.
var errUnwanted = errors.New("nobody wants a response for this certificate")

// join is the agent's life in a cluster: it takes its node's name, says what
// it holds, and stands for election if it fetches.
func (p *parts) join(ctx context.Context) error {
	cfg := p.settings.Load().Config
	instance, err := p.store.Instance()
	if err != nil {
		return err
	}
	group, ctx := errgroup.WithContext(ctx) // every goroutine of it ends with ctx
	if cfg.HasRole("deliver") {
		group.Go(func() error {
			select {
			case <-p.read:
			case <-ctx.Done():
				return nil
			}
			o := consul.AnnounceOptions{TTL: cfg.Announce.CertificateTTL, Splay: cfg.Announce.Splay}
			return p.consul.Announce(ctx, p.holding.announcements, o, p.announce)
		})
		group.Go(func() error { return p.fallBack(ctx, instance) })
	}
	group.Go(func() error {
		name, err := p.claim(ctx, cfg.NodeName, instance)
		if err != nil {
			return err
		}
		p.name.Store(&name)
		if cfg.HasRole("fetch") {
			who := record.Leader{Node: name, Instance: instance, Version: p.options.Version}
			group.Go(func() error {
				return p.consul.Campaign(ctx, who, func(ctx context.Context, term *consul.Term) error { return p.lead(ctx, term, who) })
			})
		}
		group.Go(func() error { return p.serve(ctx, name) })
		return p.consul.ReportNode(ctx, func() record.Node { return p.node(name, instance) }, p.report, p.refreshed)
	})
	return group.Wait()
}

// claimRetry is how long to wait for a Consul that does not answer at start.
const claimRetry = 3 * time.Second

// claim finds the node's name and makes sure that no other agent uses it. It
// waits for Consul, however long: delivering goes on meanwhile.
func (p *parts) claim(ctx context.Context, configured, instance string) (string, error) {
	var denied *consul.PermissionError
	complained := ""
	for {
		name, err := p.nodeName(ctx, configured)
		if err == nil {
			err = p.consul.ClaimNode(ctx, name, instance)
		}
		var taken *consul.NodeTakenError
		switch {
		case err == nil:
			return name, nil
		case errors.As(err, &taken):
			return "", err // which says what to do
		}
		// An outage is reported by the client, once for all who use it.
		if errors.As(err, &denied) && complained != err.Error() {
			complained = err.Error()
			p.options.Logger.Warn("this node can't take its name in Consul: it neither leads nor reports", "error", err)
		}
		select {
		case <-time.After(claimRetry):
		case <-ctx.Done():
			return "", ctx.Err()
		}
	}
}

// nodeName is the configured name, else the Consul node's, else the host's
// where the token may not read that.
func (p *parts) nodeName(ctx context.Context, configured string) (string, error) {
	if configured != "" {
		return configured, nil
	}
	name, err := p.consul.NodeName(ctx)
	if err == nil {
		return name, nil
	}
	var denied *consul.PermissionError
	if !errors.As(err, &denied) {
		return "", err
	}
	host, err := os.Hostname()
	if err == nil && !record.ValidName(host) {
		err = fmt.Errorf("the host's name %q can't name a node; set node_name in the job file", host)
	}
	return host, err
}

// reloader is this agent among those that take turns to reload.
func (p *parts) reloader(ctx context.Context) (record.Reloader, error) {
	instance, err := p.store.Instance()
	if err != nil {
		return record.Reloader{}, err
	}
	name, err := p.nodeName(ctx, p.settings.Load().Config.NodeName)
	return record.Reloader{Instance: instance, Node: name}, err
}

// node is what the node says of itself now.
func (p *parts) node(name, instance string) record.Node {
	n := p.tally()
	n.Node, n.Instance = name, instance
	if !p.settings.Load().Config.HasRole("deliver") {
		return n
	}
	n.Canaries = p.canary.Records()
	n.Applied = make([]record.Applied, 0, n.Certificates)
	for _, s := range p.delivered(n.Seen) {
		if s.Applied.ThisUpdate.IsZero() {
			continue
		}
		n.Applied = append(n.Applied, record.Applied{
			ID: s.ID, Job: s.Job, Name: s.Name, ThisUpdate: s.Applied.ThisUpdate.UTC(), Status: s.Applied.Status,
		})
	}
	n.Lately = p.chronicle.Lately()
	return n
}

// tally is what the node says of itself now, in numbers and troubles alone.
func (p *parts) tally() record.Node {
	cfg := p.settings.Load().Config
	n := record.Node{
		Version: p.options.Version, Roles: cfg.Roles,
		Seen: time.Now(), Started: p.started, Page: pageOf(cfg.HTTP), Trouble: p.troubles(),
	}
	n.Trouble = append(n.Trouble, p.clocks()...)
	if !cfg.HasRole("deliver") {
		return p.summed(n)
	}
	notAsked := p.holding.notAsked(n.Seen)
	p.writer.Each(func(s writer.State) {
		if notAsked[s.ID] != "" && s.Reason == writer.ReasonWaiting {
			return // nothing is missing
		}
		n.Certificates++
		n.Trouble = append(n.Trouble, troublesOf(s)...)
		if s.Applied.Until.After(n.Seen) {
			n.Stapled++
		}
	})
	slices.SortStableFunc(n.Trouble, func(a, b record.NodeTrouble) int {
		return cmp.Or(cmp.Compare(a.Job, b.Job), cmp.Compare(a.Name, b.Name))
	})
	return p.summed(n)
}

// clocks are the responders whose clock and ours disagree.
func (p *parts) clocks() []record.NodeTrouble {
	var troubles []record.NodeTrouble
	f := p.fetching.Load()
	if f == nil {
		return nil
	}
	for _, c := range f.Clocks() {
		side := "ahead of"
		if c.Ahead < 0 {
			side = "behind"
		}
		troubles = append(troubles, record.NodeTrouble{
			Target: "responder " + c.Host, Reason: fetcher.ClockOff, Since: c.Since.UTC(),
			Error: fmt.Sprintf("its Date is %v %s our clock; one of them is wrong", c.Ahead.Abs(), side),
		})
	}
	return troubles
}

// troublesOf is what is wrong with one certificate and its targets.
func troublesOf(s writer.State) []record.NodeTrouble {
	var troubles []record.NodeTrouble
	add := func(target, reason, text string, since time.Time) {
		troubles = append(troubles, record.NodeTrouble{
			ID: s.ID, Job: s.Job, Name: s.Name, Target: target, Reason: reason, Error: text, Since: since.UTC(),
		})
	}
	if s.Reason != "" {
		add("", s.Reason, s.Error, s.Since)
	}
	if s.Refused != nil {
		add("", s.Refused.Reason, s.Refused.Error, s.Refused.Since)
	}
	for _, t := range s.Targets {
		if t.Reason != "" {
			add(t.Name, t.Reason, t.Error, t.Since)
		}
	}
	return troubles
}

// summed counts the troubles, and adds what is wrong with others' announcements
// where this agent leads.
func (p *parts) summed(n record.Node) record.Node {
	n.Troubles = len(n.Trouble)
	if p.fetching.Load() != nil && p.consul != nil {
		first, count := p.holding.announcementTroubles()
		away := awayFrom(p.outlets)
		n.Trouble = slices.Concat(away, n.Trouble, first)
		n.Troubles += len(away) + count
	}
	return n
}

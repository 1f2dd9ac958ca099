package plugin

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"sort"

	"github.com/consul-ocsp/consul-ocsp/consul"
	"github.com/consul-ocsp/consul-ocsp/hclconfig"
	"github.com/consul-ocsp/consul-ocsp/plugin/event"
	"github.com/consul-ocsp/consul-ocsp/plugin/fetcher"
	"github.com/consul-ocsp/consul-ocsp/plugin/inventory"
	"github.com/consul-ocsp/consul-ocsp/plugin/record"
)

// FetchOptions narrow one pass of fetching.
type FetchOptions struct {
	// Force fetches what is not due, too.
	Force bool
	// DryRun fetches and verifies, and stores and publishes nothing.
	DryRun bool
	// Name is "job/name" of the only certificate to fetch; empty: all.
	Name string
}

// FetchReport is what a pass of fetching came to.
type FetchReport struct {
	// LedBy is set when another agent leads, which fetches: then nothing was
	// done here, and the results, if any, are what that agent answered.
	LedBy   *consul.HeldError
	Results []FetchResult
	// Published is set when the results are where nodes find them.
	Published bool
}

// FetchResult is what came of one certificate.
type FetchResult struct {
	ID, Job, Name string
	// Outcome is "fetched", "unchanged", "fresh", "failed" or "not-applicable";
	// Reason the one word for why.
	Outcome, Reason string
	Err             error
	Meta            record.Meta
}

// Fetch does one pass: what is due is fetched, verified and published, to
// Consul under the lock, or to data_dir without Consul. ctx bounds all of it.
func Fetch(ctx context.Context, cfg *hclconfig.Config, fo FetchOptions, o Options) (*FetchReport, error) {
	p, err := newParts(cfg, o)
	if err != nil {
		return nil, err
	}
	p.readCertificates(ctx)
	defer p.chronicle.Flush(ctx)
	report := &FetchReport{}
	if p.consul == nil {
		err := p.pass(ctx, ownName(cfg.NodeName), p.store, fo, report)
		return report, err
	}
	instance, err := p.store.Instance()
	if err != nil {
		return nil, err
	}
	name, err := p.nodeName(ctx, cfg.NodeName)
	if err != nil {
		return nil, err
	}
	p.name.Store(&name)
	who := record.Leader{Node: name, Instance: instance, Version: o.Version}
	for {
		err = p.leadOnce(ctx, who, fo, report)
		if !errors.As(err, &report.LedBy) {
			return report, unled(err)
		}
		if !fo.Force || fo.DryRun {
			return report, nil
		}
		if err = p.ask(ctx, fo, report); !errors.Is(err, consul.ErrNobodyLeads) {
			return report, err
		}
		report.LedBy = nil
	}
}

// unled says of somebody without the right to lead that nobody else does.
func unled(err error) error {
	var denied *consul.PermissionError
	if errors.As(err, &denied) && denied.What == consul.CreateSession {
		return fmt.Errorf("nobody leads who would fetch, and this command may not lead: %w", err)
	}
	return err
}

// leadOnce does the pass as leader.
func (p *parts) leadOnce(ctx context.Context, who record.Leader, fo FetchOptions, report *FetchReport) error {
	return p.consul.TryLead(ctx, who, func(ctx context.Context, term *consul.Term) error {
		p.options.says(Progress{Doing: "reading what nodes announce"})
		if err := p.readAnnounced(ctx, term); err != nil {
			return err
		}
		if !fo.DryRun {
			if err := term.Reconcile(ctx, p.mirror()); err != nil {
				return err
			}
		}
		if err := p.pass(ctx, who.Node, term, fo, report); err != nil || fo.DryRun {
			return err
		}
		return term.Names(ctx, p.holding.names())
	})
}

// readCertificates fills the holding from the files, once.
func (p *parts) readCertificates(ctx context.Context) {
	p.options.says(Progress{Doing: "reading certificates"})
	mapped := p.settings.Load()
	if mapped.Discovers() {
		// Once for the files that are named, then with what is served besides.
		named, problems := inventory.Read(mapped.Sources)
		p.holding.take(mapped, named, problems)
		p.lookAtServed(ctx)
	}
	found, problems := inventory.Read(p.views.sources(mapped))
	p.holding.take(mapped, found, problems)
	p.holding.complete(ctx, func() {})
}

// readAnnounced fills the holding with what nodes announced, once.
func (p *parts) readAnnounced(ctx context.Context, term *consul.Term) error {
	reading, cancel := context.WithCancel(ctx)
	defer cancel()
	read := false
	by := p.settings.Load()
	err := term.Announced(reading, announcedOptions(by, p.holding), p.holding.hear(by, "", func() {
		read = true
		cancel()
	}))
	if read {
		return nil
	}
	if err == nil {
		err = ctx.Err()
	}
	return err
}

// publisher is where a pass publishes, and what it has told of events is kept.
type publisher interface {
	fetcher.Publisher
	event.Memory
}

// pass fetches and publishes, tells events, and adds what came of it to the report.
func (p *parts) pass(ctx context.Context, node string, publisher publisher, fo FetchOptions, report *FetchReport) error {
	f := fetcher.New(fetcher.Config{
		Store: p.store, Publisher: publisher, Client: p.client, Ended: p.ended(true), Logger: p.options.Logger.Named("fetcher"),
	})
	targets := p.holding.targets()
	if fo.Name != "" && !hasName(targets, fo.Name) {
		return fmt.Errorf("no certificate %q is configured here or announced", fo.Name)
	}
	f.SetEach(targets)
	results := f.Pass(ctx, fetcher.PassOptions{
		Force: fo.Force, DryRun: fo.DryRun,
		Only: func(t fetcher.Target) bool { return fo.Name == "" || t.Job+"/"+t.Name == fo.Name },
		Told: func(done, total, failed int) {
			doing := "fetching"
			if done == total && !fo.DryRun {
				doing = "publishing"
			}
			p.options.says(Progress{Doing: doing, Done: done, Total: total, Failed: failed})
		},
	})
	if !fo.DryRun {
		p.tellResults(ctx, node, publisher, results)
	}
	for _, r := range results {
		result := FetchResult{
			ID: r.Target.ID, Job: r.Target.Job, Name: r.Target.Name,
			Outcome: string(r.Outcome), Reason: string(r.Reason), Err: r.Err,
		}
		if r.Staple != nil {
			result.Meta = r.Staple.Meta
		}
		report.Results = append(report.Results, result)
	}
	for _, t := range p.holding.troubles() {
		if fo.Name == "" || t.Job+"/"+t.Name == fo.Name {
			report.Results = append(report.Results, FetchResult{
				Job: t.Job, Name: t.Name, Outcome: "failed", Reason: t.Reason, Err: errors.New(t.Error),
			})
		}
	}
	report.sort()
	report.Published = !fo.DryRun
	return nil
}

// sort orders the results by job and name.
func (r *FetchReport) sort() {
	sort.SliceStable(r.Results, func(i, j int) bool {
		a, b := r.Results[i], r.Results[j]
		return a.Job+"/"+a.Name < b.Job+"/"+b.Name
	})
}

func hasName(targets iter.Seq[fetcher.Target], name string) bool {
	for t := range targets {
		if t.Job+"/"+t.Name == name {
			return true
		}
	}
	return false
}

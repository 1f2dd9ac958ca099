package plugin

import (
	"context"
	"slices"
	"time"

	"github.com/consul-ocsp/consul-ocsp/hclconfig"
	"github.com/consul-ocsp/consul-ocsp/plugin/inventory"
	"github.com/consul-ocsp/consul-ocsp/plugin/issuer"
	"github.com/consul-ocsp/consul-ocsp/plugin/settings"
	"github.com/consul-ocsp/consul-ocsp/plugin/status"
	"github.com/consul-ocsp/consul-ocsp/plugin/store"
	"github.com/consul-ocsp/consul-ocsp/plugin/truths"
)

// Compare looks at every certificate's file, at the HAProxies of its job, and,
// where connect is a HOST:PORT, at what a client gets there that asks for the
// certificate's name; empty: where the job's own connect says, if it does. id
// limits it to one certificate; "" is all. Nothing is changed.
func Compare(ctx context.Context, cfg *hclconfig.Config, id, connect string, o Options) ([]status.Truths, error) {
	mapped, err := settings.New(cfg, &settings.Targets{Logger: o.Logger, AskOnly: true})
	if err != nil {
		return nil, err
	}
	look := &truths.Lookout{Settings: mapped, Now: time.Now(), Issuers: issuer.Finder{Store: store.Look(cfg.DataDir)}, Connect: connect}
	o.says(Progress{Doing: "reading certificates"})
	own, _ := inventory.Read(mapped.Sources) // what can't be read, others say
	own = append(own, look.Discovered(ctx, own)...)
	list := []status.Truths{}
	for i, c := range own {
		if id == "" || c.ID == id {
			o.says(Progress{Doing: "comparing", Done: i, Total: len(own)})
			list = append(list, look.At(ctx, c))
		}
	}
	return list, ctx.Err()
}

// here looks at the places of one certificate on this node, where its own
// files, HAProxies and clients are: see Compare.
func (p *parts) here(ctx context.Context, id string) (status.Here, error) {
	cfg, now := p.settings.Load().Config, time.Now()
	mapped, err := settings.New(cfg, nil)
	if err != nil {
		return status.Here{}, err
	}
	look := &truths.Lookout{Settings: mapped, Now: now, Issuers: p.holding.issuers}
	var found []status.Truths
	for _, c := range p.holding.files() {
		if c.ID == id && cfg.Job(c.Job) != nil {
			found = append(found, look.At(ctx, c))
		}
	}
	return status.NewHere(p.self(), now, found), nil
}

// has tells for the page whether this node has a file of a certificate.
func (p *parts) has(id string) (node string, yes bool) {
	return p.self(), slices.ContainsFunc(p.holding.files(), func(c inventory.Certificate) bool { return c.ID == id })
}

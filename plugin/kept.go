package plugin

import (
	"context"
	"maps"
	"slices"

	"github.com/consul-ocsp/consul-ocsp/plugin/chronicle"
	"github.com/consul-ocsp/consul-ocsp/plugin/inventory"
	"github.com/consul-ocsp/consul-ocsp/plugin/record"
	"github.com/consul-ocsp/consul-ocsp/plugin/store"
)

// keepHistory has the store keep responses as evidence, as the settings say, and
// the chronicle note where they got.
func (p *parts) keepHistory() {
	on := func() bool { return p.settings.Load().History }
	p.chronicle = chronicle.New(chronicle.Config{
		Store: p.store, Logger: p.options.Logger.Named("history"), On: on, Keeps: p.holding.keeps, Who: p.who,
		Certificates: p.certificatesOf, Changed: func() { wake(p.report); wake(p.check) },
	})
	p.store.SetHistory(store.History{
		Keep: func(id string) int {
			if !on() {
				return 0
			}
			return p.holding.keeps(id)
		},
		Kept: p.chronicle.Kept,
	})
}

// who are this node and its datacenter, as evidence names them.
func (p *parts) who() (node, datacenter string) {
	cfg := p.settings.Load().Config
	if cfg.Consul != nil {
		datacenter = cfg.Consul.Datacenter
	}
	if name := p.name.Load(); name != nil {
		return *name, datacenter
	}
	return ownName(cfg.NodeName), datacenter
}

// watchNodes has the chronicle note what a datacenter's nodes have, until ctx ends;
// "" is the agent's own.
func (p *parts) watchNodes(ctx context.Context, datacenter string) error {
	d := chronicle.Datacenter{
		Name: datacenter, Nodes: p.consul, IDs: p.holding.keptIDs,
		Replaced: func() <-chan struct{} { return p.settings.Load().Replaced },
	}
	for _, o := range p.outlets {
		if o.datacenter == datacenter {
			d.Nodes = o.client
		}
	}
	if datacenter == "" {
		d.Own, d.Name = p.who()
	}
	p.chronicle.Witness(ctx, d)
	return nil
}

// certificatesOf are the certificates of these ids with their issuers: from the
// agent's own files, or as nodes announced them.
func (p *parts) certificatesOf(ctx context.Context, ids []string) map[string]record.Certificate {
	own := p.holding.announcements()
	found := map[string]record.Certificate{}
	var announced []string
	for _, id := range ids {
		if c, ok := own[id]; ok {
			found[id] = c
		} else {
			announced = append(announced, id)
		}
	}
	if p.consul == nil || len(announced) == 0 {
		return found
	}
	// Those that can't be read now are asked for with the next note.
	list, _ := p.consul.Certificates(ctx, announced)
	maps.Copy(found, list)
	for _, o := range p.outlets {
		if len(found) < len(ids) {
			list, _ := o.client.Certificates(ctx, announced)
			maps.Copy(found, list)
		}
	}
	return found
}

// keeps is how many responses of a certificate are kept as evidence: the most of
// the jobs that have it.
func (h *holding) keeps(id string) int {
	h.mu.Lock()
	defer h.mu.Unlock()
	n := h.histories[id]
	for _, heard := range h.heard {
		if a := heard.believed[id]; a != nil {
			n = max(n, h.settings.JobFetch(a.Job()).History)
		}
	}
	return n
}

// keptIDs are the certificates whose responses are kept.
func (h *holding) keptIDs() []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	if !h.settings.History {
		return nil
	}
	ids := slices.Collect(maps.Keys(h.histories))
	for a := range h.announced() {
		if h.histories[a.ID()] == 0 && h.settings.JobFetch(a.Job()).History > 0 {
			ids = append(ids, a.ID())
		}
	}
	return ids
}

// countHistories adds certificates of the agent's own. The caller holds the lock.
func (h *holding) countHistories(own []inventory.Certificate) {
	if !h.settings.History {
		return
	}
	if h.histories == nil {
		h.histories = map[string]int{}
	}
	for _, c := range own {
		if n := h.settings.Fetch(c.Job, c.Name).History; n > h.histories[c.ID] {
			h.histories[c.ID] = n
		}
	}
}

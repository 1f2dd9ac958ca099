package plugin

import (
	"context"
	"time"

	"github.com/consul-ocsp/consul-ocsp/hclconfig"
	"github.com/consul-ocsp/consul-ocsp/plugin/fetcher"
	"github.com/consul-ocsp/consul-ocsp/plugin/inventory"
	"github.com/consul-ocsp/consul-ocsp/plugin/record"
	"github.com/consul-ocsp/consul-ocsp/plugin/settings"
	"github.com/consul-ocsp/consul-ocsp/plugin/status"
	"github.com/consul-ocsp/consul-ocsp/plugin/store"
)

// localStatus is what data_dir and the node's own certificates say. node is what the
// node's agent says of itself; nil for what it kept in data_dir.
func localStatus(cfg *hclconfig.Config, node *record.Node) (*status.Report, error) {
	data := store.Look(cfg.DataDir)
	metas, err := data.Metas()
	if err != nil {
		return nil, err
	}
	troubles, err := data.Troubles()
	if err != nil {
		return nil, err
	}
	now := time.Now()
	if node == nil {
		// Without it, or where there is no agent any more, the report is shorter.
		kept, found, _ := data.Node()
		if found && now.Sub(kept.Seen) <= cfg.Announce.CertificateTTL {
			node = kept
		}
	}
	report := status.FromStore(metas, troubles, lacking(cfg, metas, troubles, now), node, now)
	// What can't be read, the agent says; what is kept there is a standalone one's.
	canaries, _ := data.Canaries()
	report.SetCanaries(canaries)
	return report, nil
}

// lacking are the certificates in the node's own files for which somebody is to
// be asked and of which nothing is known. Files that can't be read are no matter
// of this: the agent says so.
func lacking(cfg *hclconfig.Config, metas map[string]record.Meta, troubles map[string]record.Trouble, now time.Time) map[string]record.Certificate {
	p, err := settings.New(cfg, nil)
	if err != nil {
		return nil
	}
	list := map[string]record.Certificate{}
	found, _ := inventory.Read(p.Sources)
	for _, c := range found {
		_, held := metas[c.ID]
		_, failing := troubles[c.ID]
		if !held && !failing && notAsked(p, c, now) == "" {
			list[c.ID] = record.Certificate{Leaf: c.Leaf.Raw, Job: c.Job, Name: c.Name}
		}
	}
	return list
}

// notAsked is why nobody is asked about a certificate: nothing is missing where
// it has no response. Empty: somebody is, or it must be stapled.
func notAsked(p *settings.Settings, c inventory.Certificate, now time.Time) string {
	s := p.Fetch(c.Job, c.Name).Settings
	switch {
	case c.MustStaple:
	case s.Off:
		return fetcher.Off
	case len(s.Responders) == 0 && len(c.Leaf.OCSPServer) == 0:
		return fetcher.NoResponder
	case now.After(c.Leaf.NotAfter):
		return fetcher.CertificateExpired
	}
	return ""
}

const (
	// reportEvery is how often a standalone agent writes what it says of itself
	// at least: status calls it stale after five minutes.
	reportEvery = 2 * time.Minute
	// reportSpacing keeps these writes apart.
	reportSpacing = time.Second
)

// reportAlone keeps in data_dir what a standalone agent says of itself, for
// status, until ctx ends. What it said last stays: an agent that is gone shows
// as stale.
func (p *parts) reportAlone(ctx context.Context) error {
	instance, err := p.store.Instance()
	if err != nil {
		return err
	}
	select {
	case <-p.read:
	case <-ctx.Done():
	}
	for ctx.Err() == nil {
		name := ownName(p.settings.Load().Config.NodeName)
		if err := p.store.PutNode(p.node(name, instance)); err != nil {
			p.options.Logger.Debug("status does not show this agent", "error", err)
		}
		sleep(ctx, reportSpacing, nil)
		select {
		case <-p.report:
		case <-p.refreshed:
		case <-time.After(reportEvery):
		case <-ctx.Done():
		}
	}
	return nil
}

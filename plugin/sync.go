package plugin

import (
	"context"
	"time"

	"github.com/consul-ocsp/consul-ocsp/consul"
	"github.com/consul-ocsp/consul-ocsp/hclconfig"
	"github.com/consul-ocsp/consul-ocsp/plugin/record"
	"github.com/consul-ocsp/consul-ocsp/plugin/writer"
)

// SyncOptions say how patient one pass on a node is.
type SyncOptions struct {
	// Wait is how long to wait until every certificate has its staple.
	Wait time.Duration
	// RequirePush: a staple that a target did not take is missing. Otherwise
	// the file is enough: the server may not have been started yet.
	RequirePush bool
}

// SyncReport is what a pass on a node came to.
type SyncReport struct {
	Results []SyncResult
	// Source is the error of the place where responses come from; the results
	// then rest on data_dir and the files.
	Source error
	// Announced is the error of announcing, if any.
	Announced error
}

// SyncResult is what came of one certificate.
type SyncResult struct {
	ID, Job, Name string
	MustStaple    bool
	// OK: a verified response is where it belongs.
	OK bool
	// NotApplicable: there is none, and none is missing, since nobody is asked
	// about this certificate; Reason says why.
	NotApplicable bool
	// Status and Until are the response's, if there is one.
	Status string
	Until  time.Time
	// Reason is the one word for what is wrong, if anything is; Error says more.
	Reason, Error string
}

// syncPause is how long to wait before looking again for what is missing.
const syncPause = 500 * time.Millisecond

// Sync does one pass on a node: it announces the node's certificates, takes
// what Consul (or, standalone, data_dir) has for them, verifies, writes and
// pushes it. With a wait it looks again until nothing is missing.
func Sync(ctx context.Context, cfg *hclconfig.Config, so SyncOptions, o Options) (*SyncReport, error) {
	p, err := newParts(cfg, o)
	if err != nil {
		return nil, err
	}
	deadline := time.Now().Add(so.Wait)
	told := false
	for {
		report := p.syncOnce(ctx, so)
		left := time.Until(deadline)
		missing := report.missing()
		if missing == 0 || left <= 0 {
			return report, nil
		}
		if !told {
			told = true
			o.Logger.Info("waiting for staples", "missing", missing, "for", so.Wait)
		}
		select {
		case <-time.After(min(left, syncPause)):
		case <-ctx.Done():
			return report, ctx.Err()
		}
	}
}

func (p *parts) syncOnce(ctx context.Context, so SyncOptions) *SyncReport {
	report := &SyncReport{}
	p.readCertificates(ctx)
	p.writer.Set(p.holding.deliveries())
	var candidates []record.Staple
	if p.consul != nil {
		candidates, report.Source = p.candidates(ctx, report)
	} else {
		candidates = p.stored()
	}
	notAsked := p.holding.notAsked(time.Now())
	for _, s := range p.writer.Pass(ctx, candidates) {
		r := syncResult(s.State, so.RequirePush)
		if why := notAsked[r.ID]; why != "" && r.Reason == writer.ReasonWaiting {
			r.NotApplicable, r.Reason, r.Error = true, why, ""
		}
		report.Results = append(report.Results, r)
	}
	for _, t := range p.holding.troubles() {
		report.Results = append(report.Results, SyncResult{Job: t.Job, Name: t.Name, Reason: t.Reason, Error: t.Error})
	}
	return report
}

// candidates announces, and is what Consul has for the node's certificates.
func (p *parts) candidates(ctx context.Context, report *SyncReport) ([]record.Staple, error) {
	cfg := p.plan.Load().cfg
	records := p.holding.announcements()
	report.Announced = p.consul.AnnounceOnce(ctx, records, consul.AnnounceOptions{TTL: cfg.Announce.CertificateTTL})
	ids := make([]string, 0, len(records))
	for id := range records {
		ids = append(ids, id)
	}
	found, err := p.consul.Staples(ctx, ids)
	candidates := make([]record.Staple, 0, len(found))
	for _, st := range found {
		candidates = append(candidates, st)
	}
	return candidates, err
}

// stored is what data_dir has for the node's certificates by now: another
// process may have fetched since the last look. What can't be read, the writer
// says itself.
func (p *parts) stored() []record.Staple {
	var list []record.Staple
	for id := range p.holding.announcements() {
		if st, found, err := p.store.Staple(id); err == nil && found {
			list = append(list, st)
		}
	}
	return list
}

// missing is how many certificates lack a staple.
func (r *SyncReport) missing() int {
	n := 0
	for _, s := range r.Results {
		if !s.OK && !s.NotApplicable {
			n++
		}
	}
	return n
}

func syncResult(s writer.State, requirePush bool) SyncResult {
	r := SyncResult{
		ID: s.ID, Job: s.Job, Name: s.Name, MustStaple: s.MustStaple,
		Status: s.Applied.Status, Until: s.Applied.Until, Reason: s.Reason, Error: s.Error,
	}
	if s.Refused != nil && r.Reason == "" {
		r.Reason, r.Error = s.Refused.Reason, s.Refused.Error
	}
	r.OK = !s.Applied.ThisUpdate.IsZero() && s.Reason == ""
	for _, t := range s.Targets {
		if t.Reason != "" {
			r.Reason, r.Error = t.Reason, t.Error
			r.OK = r.OK && !requirePush
		}
	}
	return r
}

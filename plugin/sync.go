package plugin

import (
	"context"
	"time"

	"github.com/consul-ocsp/consul-ocsp/consul"
	"github.com/consul-ocsp/consul-ocsp/hclconfig"
	"github.com/consul-ocsp/consul-ocsp/plugin/fold"
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
	// Fold: where another process with the same configuration is at work on the
	// node, have it do one more pass, and return at once with Folded. Otherwise
	// its end is waited for, but no longer than Wait (without one, ten seconds),
	// and the pass is this one's own.
	Fold bool
	// Adopt: before all else, take what the running HAProxies hold.
	Adopt bool
}

// SyncReport is what a pass on a node came to.
type SyncReport struct {
	Results []SyncResult
	// Folded: another process is at work, and does a pass that begins after this
	// call. There are no results.
	Folded bool
	// Source is the error of the place where responses come from; the results
	// then rest on data_dir and the files.
	Source error
	// Announced is the error of announcing, if any; Adopted that of a HAProxy that
	// could not be asked for what it holds.
	Announced, Adopted error
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
	// AdoptedFrom is the target from which the response came, with Adopt; empty:
	// what was here is as new.
	AdoptedFrom string
	// Reason is the one word for what is wrong, if anything is; Error says more.
	Reason, Error string
}

const (
	// syncPause is how long to wait before looking again for what is missing.
	syncPause = 500 * time.Millisecond
	// syncTurn is how long another process is waited for without a wait.
	syncTurn = 10 * time.Second
)

// Sync does one pass on a node: it announces the node's certificates, takes
// what Consul (or, standalone, data_dir) has for them, verifies, writes and
// pushes it. With a wait it looks again until nothing is missing. Any number of
// processes may do so at the same time, also beside an agent.
func Sync(ctx context.Context, cfg *hclconfig.Config, so SyncOptions, o Options) (*SyncReport, error) {
	p, err := newParts(cfg, o)
	if err != nil {
		return nil, err
	}
	deadline := time.Now().Add(so.Wait)
	turn := deadline
	if so.Wait == 0 {
		turn = deadline.Add(syncTurn)
	}
	if p.consul != nil && p.settings.Load().History {
		if name, err := p.nodeName(ctx, cfg.NodeName); err == nil {
			p.name.Store(&name)
		}
	}
	defer p.chronicle.Flush(ctx)
	for told := false; ; {
		report := p.syncInTurn(ctx, so, turn)
		left := time.Until(deadline)
		missing := report.missing()
		if missing == 0 || left <= 0 {
			return report, nil
		}
		if !told {
			told = true
			o.Logger.Info("waiting for staples", "missing", missing, "for", so.Wait)
			p.options.Progress = nil // of single steps: the passes that follow are short
		}
		o.says(report.progress(deadline))
		select {
		case <-time.After(min(left, syncPause)):
		case <-ctx.Done():
			return report, ctx.Err()
		}
	}
}

// syncInTurn does a pass while no other process does one, and goes on as long as
// others ask for one meanwhile. A lock that can't be had by the deadline delays
// nobody longer: the pass is then done beside the other.
func (p *parts) syncInTurn(ctx context.Context, so SyncOptions, deadline time.Time) *SyncReport {
	turn, err := fold.Open(p.settings.Load().Config)
	if err != nil {
		return p.syncUnlocked(ctx, so, err)
	}
	defer turn.Close() // gives the lock back
	held := false
	if so.Fold {
		held, err = turn.Join()
		if err == nil && !held {
			return &SyncReport{Folded: true}
		}
	} else {
		waiting, cancel := context.WithDeadline(ctx, deadline)
		held, err = turn.Wait(waiting)
		cancel()
	}
	if !held {
		return p.syncUnlocked(ctx, so, err)
	}
	for {
		if err := turn.Begin(); err != nil {
			return p.syncUnlocked(ctx, so, err)
		}
		report := p.syncOnce(ctx, so)
		more, err := turn.Again()
		if err != nil {
			p.options.Logger.Warn("other passes on this node can't be seen", "error", err)
		}
		if !more || ctx.Err() != nil {
			return report
		}
		p.options.Logger.Info("another pass was asked for meanwhile")
	}
}

// syncUnlocked does a pass without the lock, since err or since another process
// has had it for too long.
func (p *parts) syncUnlocked(ctx context.Context, so SyncOptions, err error) *SyncReport {
	if err != nil {
		p.options.Logger.Warn("this pass takes no turn with others on this node", "error", err)
	} else if ctx.Err() == nil {
		p.options.Logger.Warn("another pass on this node takes long; this one goes on beside it")
	}
	return p.syncOnce(ctx, so)
}

func (p *parts) syncOnce(ctx context.Context, so SyncOptions) *SyncReport {
	report := &SyncReport{}
	p.readCertificates(ctx)
	p.writer.Set(p.holding.deliveries())
	if so.Adopt {
		report.Adopted = p.adopt(ctx)
	}
	var candidates []record.Staple
	if p.consul != nil {
		p.options.says(Progress{Doing: "asking Consul"})
		candidates, report.Source = p.candidates(ctx, report)
	} else {
		candidates = p.stored()
	}
	notAsked := p.holding.notAsked(time.Now())
	p.options.says(Progress{Doing: "verifying what there is"})
	for _, s := range p.writer.Pass(ctx, candidates) {
		r := syncResult(s.State, so.RequirePush)
		if a := p.adopted[r.ID]; a.sha256 == s.State.Applied.SHA256 {
			r.AdoptedFrom = a.target
		}
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
	cfg := p.settings.Load().Config
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

// progress is how far a pass has come that waits for staples.
func (r *SyncReport) progress(until time.Time) Progress {
	w := Progress{Doing: "waiting for staples", Total: len(r.Results), Done: len(r.Results) - r.missing(), Until: until}
	for _, s := range r.Results {
		if !s.OK && !s.NotApplicable && s.Reason != writer.ReasonWaiting {
			w.Failed++
		}
	}
	return w
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

package plugin

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/consul-ocsp/consul-ocsp/hclconfig"
	"github.com/consul-ocsp/consul-ocsp/plugin/canary"
	"github.com/consul-ocsp/consul-ocsp/plugin/inventory"
	"github.com/consul-ocsp/consul-ocsp/plugin/record"
	"github.com/consul-ocsp/consul-ocsp/plugin/settings"
	"github.com/consul-ocsp/consul-ocsp/plugin/staple"
	"github.com/consul-ocsp/consul-ocsp/plugin/truths"
	"github.com/consul-ocsp/consul-ocsp/plugin/writer"
)

// followCanaries learns how canaries are, and looks what this node's clients are
// shown, until ctx ends.
func (p *parts) followCanaries(ctx context.Context) {
	for ctx.Err() == nil {
		mapped := p.settings.Load()
		following, cancel := context.WithCancel(ctx)
		var group sync.WaitGroup // ends with following
		if mapped.HasCanary() {
			group.Go(func() { p.learnCanaries(following) })
			if mapped.Config.HasRole("deliver") {
				group.Go(func() {
					p.canary.Run(following, func() []canary.Own { return p.ownCanaries(mapped) }, func() { wake(p.report) })
				})
			}
		}
		select {
		case <-mapped.Replaced:
		case <-ctx.Done():
		}
		cancel()
		group.Wait()
	}
}

// learnCanaries learns from Consul, or from data_dir what the agent's own rounds
// do not say.
func (p *parts) learnCanaries(ctx context.Context) {
	if p.consul != nil {
		p.consul.Canaries(ctx, p.setCanaries)
		return
	}
	all, err := p.store.Canaries()
	if err != nil {
		p.options.Logger.Warn("what was kept of the canaries can't be read", "error", err)
	}
	p.setCanaries(all)
	<-ctx.Done()
}

// setCanaries takes in how canaries are: those of the job file, whatever else
// there may be in Consul.
func (p *parts) setCanaries(all map[string]record.Canary) {
	mapped := p.settings.Load()
	maps.DeleteFunc(all, func(job string, _ record.Canary) bool {
		j := mapped.Config.Job(job)
		return j == nil || j.Canary == nil
	})
	p.canary.Set(all)
	wake(p.check)
}

// clientsPort is where clients of a node are taken to connect if its job does not
// say.
const clientsPort = "127.0.0.1:443"

// ownCanaries are those that this node has a file of.
func (p *parts) ownCanaries(mapped *settings.Settings) []canary.Own {
	var list []canary.Own
	for _, c := range p.holding.files() {
		if !mapped.IsCanary(c.Job, c.Name) {
			continue
		}
		connect := cmp.Or(mapped.Config.Job(c.Job).Connect, clientsPort)
		list = append(list, canary.Own{Job: c.Job, ID: c.ID, Look: func(ctx context.Context) (says, why string) {
			return p.lookAt(ctx, mapped, c, connect)
		}})
	}
	return list
}

// lookAt is what a client is shown, by the way of status -here -connect.
func (p *parts) lookAt(ctx context.Context, mapped *settings.Settings, c inventory.Certificate, connect string) (says, why string) {
	l := &truths.Lookout{Settings: mapped, Now: time.Now(), Issuers: p.holding.issuers}
	t := l.Client(ctx, c, connect)
	return t.Says, t.Error
}

// canaryApplied hears how far a file came.
func (p *parts) canaryApplied(s writer.State) {
	if s.Reason == "" && (s.Filed || len(s.Targets) > 0) && allHave(s) && p.settings.Load().IsCanary(s.Job, s.Name) {
		p.canary.Applied(s.ID, s.Applied.Status == string(staple.Revoked))
	}
}

// unknownCanary is how long after the agent's start a canary's state may be
// unknown since Consul has not answered yet.
const unknownCanary = time.Minute

// planned reports whether a certificate of this node may be revoked: as canary of
// a round that goes on, or until it is known whether one does.
func (p *parts) planned(id, job, name string) bool {
	return p.settings.Load().IsCanary(job, name) &&
		(p.canary.Planned(id) || !p.canary.Known() && time.Since(p.started) < unknownCanary)
}

// plannedAnywhere is planned for the whole cluster: of canaries that others have
// replaced, only who goes on to deliver one has something to say.
//
// What Consul says of a canary does not silence the alarm for any other certificate:
// the job file says which ones are.
func (p *parts) plannedAnywhere(id string) bool {
	return (p.canary.Planned(id) || p.canary.Past(id)) && p.holding.isCanary(id)
}

// isCanary reports whether a certificate is a canary by its job and its name:
// under each that the agent itself has it, or else as it was announced. How a node
// calls a certificate counts where the job file says so; otherwise the CA must have
// issued it for the names of the canary that the agent itself has.
func (h *holding) isCanary(id string) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	own := false
	var names [][]string
	for _, c := range h.own {
		if h.settings.IsCanary(c.Job, c.Name) {
			names = append(names, c.Names)
		}
		if c.ID != id {
			continue
		}
		if own = h.settings.IsCanary(c.Job, c.Name); !own {
			return false
		}
	}
	if own {
		return true
	}
	for _, heard := range h.heard {
		if a := heard.believed[id]; a != nil {
			return h.settings.IsCanary(a.Job(), a.Name()) &&
				(h.settings.Config.Announce.Names || slices.ContainsFunc(names, a.HasNames))
		}
	}
	return false
}

// canarySettings are those of a job's block.
func canarySettings(j *hclconfig.Job) canary.Settings {
	c := j.Canary
	return canary.Settings{
		Job: j.Name, Name: c.Certificate, Revoke: c.Revoke, Renew: c.Renew,
		Every: c.Every, Within: c.Within, Timeout: c.Timeout,
	}
}

package plugin

import (
	"context"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/consul-ocsp/consul-ocsp/plugin/haproxytarget"
	"github.com/consul-ocsp/consul-ocsp/plugin/inventory"
	"github.com/consul-ocsp/consul-ocsp/plugin/ration"
	"github.com/consul-ocsp/consul-ocsp/plugin/record"
	"github.com/consul-ocsp/consul-ocsp/plugin/served"
	"github.com/consul-ocsp/consul-ocsp/plugin/settings"
)

// viewsInterval is how often what HAProxies serve is compared with the files,
// on average.
const viewsInterval = 5 * time.Minute

// views is what this node's HAProxies say that they serve, beside what the job
// file and the files say.
type views struct {
	mu         sync.Mutex
	troubles   []record.NodeTrouble
	discovered map[string][]string // by job: files that only HAProxy named
	ration     ration.Lines
}

// sources are those of the settings together with what HAProxies named.
func (v *views) sources(mapped *settings.Settings) []inventory.Source {
	v.mu.Lock()
	defer v.mu.Unlock()
	sources := slices.Clone(mapped.Sources)
	for i := range sources {
		sources[i].Discovered = v.discovered[sources[i].Job]
	}
	return sources
}

func (v *views) complaints() []record.NodeTrouble {
	v.mu.Lock()
	defer v.mu.Unlock()
	return slices.Clone(v.troubles)
}

// watchServed compares now and then, until ctx ends.
func (p *parts) watchServed(ctx context.Context) error {
	select {
	case <-p.read:
	case <-ctx.Done():
		return nil
	}
	for {
		p.lookAtServed(ctx)
		pause := time.NewTimer(viewsInterval/2 + rand.N(viewsInterval))
		select {
		case <-pause.C:
		case <-p.relist:
			pause.Stop()
		case <-ctx.Done():
			pause.Stop()
			return nil
		}
	}
}

// lookAtServed asks every HAProxy of the jobs once. One that does not answer
// changes nothing: the writer says so already.
func (p *parts) lookAtServed(ctx context.Context) {
	mapped, own := p.settings.Load(), p.holding.files()
	found := map[string][]string{}
	var troubles []record.NodeTrouble
	for _, job := range mapped.Config.Jobs {
		for _, target := range mapped.Targets[job.Name] {
			t, ok := target.(*haproxytarget.Target)
			if !ok {
				continue
			}
			list, err := t.Client().Served(ctx)
			if err != nil {
				p.options.Logger.Debug("what HAProxy serves can't be compared with the files", "target", t.Name(), "error", err)
				found[job.Name] = append(found[job.Name], p.views.known(job.Name)...)
				continue
			}
			if t.Discovers() {
				found[job.Name] = append(found[job.Name], served.Files(list, own)...)
			}
			troubles = append(troubles, served.Compare(list, own).Troubles(job.Name, t.Name(), t.Discovers())...)
		}
	}
	if ctx.Err() == nil {
		p.seen(found, troubles)
	}
}

func (v *views) known(job string) []string {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.discovered[job]
}

// seen takes in what was found, and has it acted on where it is new.
func (p *parts) seen(found map[string][]string, troubles []record.NodeTrouble) {
	for job, files := range found {
		slices.Sort(files)
		found[job] = slices.Compact(files)
	}
	maps.DeleteFunc(found, func(_ string, files []string) bool { return len(files) == 0 })
	p.views.mu.Lock()
	rediscovered := !maps.EqualFunc(p.views.discovered, found, slices.Equal[[]string])
	p.views.discovered = found
	before := p.views.troubles
	for i, t := range troubles {
		if j := slices.IndexFunc(before, func(b record.NodeTrouble) bool { return sameTrouble(b, t) }); j >= 0 {
			troubles[i].Since = before[j].Since
		} else {
			level, more := p.views.ration.Level(time.Now(), hclog.Warn)
			p.options.Logger.Log(level, "HAProxy and the files differ"+more, "job", t.Job, "certificate", t.Name, "reason", t.Reason, "error", t.Error)
		}
	}
	p.views.troubles = troubles
	p.views.mu.Unlock()
	if rediscovered {
		wake(p.rediscovered)
	}
	if !slices.EqualFunc(before, troubles, sameTrouble) {
		wake(p.report)
		wake(p.check)
	}
}

func sameTrouble(a, b record.NodeTrouble) bool {
	a.Since, b.Since = time.Time{}, time.Time{}
	return a == b
}

package plugin

import (
	"os"
	"slices"
	"time"

	"github.com/consul-ocsp/consul-ocsp/plugin/record"
)

// alone is what is shown of a node that fetches for itself.
type alone struct {
	since time.Time
	why   string
}

// show tells everybody that this node fetches for itself.
func (b *fallback) show(now time.Time, err error) {
	next := &alone{since: now, why: "nobody leads"}
	if err != nil {
		next.why = "consul does not answer"
	}
	if b.on == nil {
		args := []any{"reason", ReasonFallback, "why", next.why, "since", b.outage.since.UTC().Format(time.RFC3339)}
		if err != nil {
			args = append(args, "error", err)
		}
		b.logger.Error("this node fetches for its own certificates, until an agent leads again", args...)
	} else {
		next.since = b.on.since
	}
	changed := b.on == nil || *b.on != *next
	b.on = next
	b.p.alone.Store(next)
	if changed || now.Sub(b.kept).Abs() >= fallbackIdle {
		b.kept = now
		b.keep()
	}
	if changed {
		b.tell()
	}
}

// back ends the fallback, if there is one.
func (b *fallback) back(why string) {
	b.outage = outage{}
	b.f.Set(nil)
	if b.on == nil {
		return
	}
	b.logger.Warn("this node no longer fetches for itself", "why", why,
		"after", time.Since(b.on.since).Round(time.Second), "responses", b.f.Counts().Published)
	b.on = nil
	b.p.alone.Store(nil)
	b.forget()
	b.tell()
}

// tell has the node's record and its service's check say how it is.
func (b *fallback) tell() {
	wake(b.p.report)
	wake(b.p.check)
}

// ReasonFallback is that of a node's trouble while it fetches for itself.
const ReasonFallback = "fallback"

// troubles are what is wrong with the agent and its certificates' files.
func (p *parts) troubles() []record.NodeTrouble {
	list := slices.Concat(p.holding.troubles(), p.views.complaints(), p.chronicle.Troubles())
	a := p.alone.Load()
	if a == nil {
		return list
	}
	return append([]record.NodeTrouble{{
		Reason: ReasonFallback, Error: "this node fetches for its own certificates: " + a.why, Since: a.since.UTC(),
	}}, list...)
}

// keep keeps in data_dir what Consul can't be told now, for status.
func (b *fallback) keep() {
	name := b.p.settings.Load().Config.NodeName
	if name == "" {
		name, _ = os.Hostname()
	}
	if err := b.p.store.PutNode(b.p.node(name, b.instance)); err != nil {
		b.logger.Debug("status can't show this node while consul is silent", "error", err)
	}
}

// forget removes from data_dir what was kept of a fallback that is over, and
// why its fetches failed: what counts is in Consul again.
func (b *fallback) forget() {
	if err := b.p.store.ForgetNode(); err != nil {
		b.logger.Debug("status goes on to show a fallback while consul is silent", "error", err)
	}
}

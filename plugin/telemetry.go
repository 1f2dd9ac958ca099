package plugin

import (
	"context"
	"runtime"
	"time"

	"github.com/hashicorp/go-metrics"

	"github.com/consul-ocsp/consul-ocsp/plugin/event"
	"github.com/consul-ocsp/consul-ocsp/plugin/fetcher"
	"github.com/consul-ocsp/consul-ocsp/plugin/pull"
	"github.com/consul-ocsp/consul-ocsp/plugin/record"
	"github.com/consul-ocsp/consul-ocsp/plugin/staple"
	"github.com/consul-ocsp/consul-ocsp/plugin/writer"
)

// measureEvery is how often the figures are brought up to date.
const measureEvery = 10 * time.Second

// measure brings the figures up to date until ctx ends. They are read from
// what the parts count anyway, so that nothing waits for a sink of metrics.
func (p *parts) measure(ctx context.Context) error {
	if p.options.Metrics == nil {
		return nil
	}
	tick := time.NewTicker(measureEvery)
	defer tick.Stop()
	m := meter{Metrics: p.options.Metrics}
	for {
		var counts fetcher.Counts
		leads := p.fetching.Load()
		if leads != nil {
			counts = leads.Counts()
		}
		m.node(p.tally())
		m.revoked(p.writer.Each, p.canary.Planned, leads, p.plannedAnywhere)
		m.fetching(leads, counts)
		m.fallback(p.alone.Load() != nil)
		m.events(p.telling.Load())
		m.answers(p.answering.Load())
		m.process()
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil
		}
	}
}

// meter turns totals into what a sink of metrics takes.
type meter struct {
	*metrics.Metrics
	of   *fetcher.Fetcher // whose totals last are
	last fetcher.Counts
	// reasons are those of the troubles that were last told of.
	reasons map[string]int

	by       *event.Teller // whose totals lastTold are
	lastTold event.Counts

	answerer *pull.Answerer // whose totals answered are
	answered pull.Counts
}

// node tells how this node stands: how many certificates it delivers, how many
// have a staple that has not ended, and how much is wrong.
func (m *meter) node(n record.Node) {
	m.SetGauge([]string{"node", "certificates"}, float32(n.Certificates))
	m.SetGauge([]string{"node", "stapled"}, float32(n.Stapled))
	m.SetGauge([]string{"node", "troubles"}, float32(n.Troubles))
	now := map[string]int{}
	for reason := range m.reasons {
		now[reason] = 0 // told once more, that it is over
	}
	for _, t := range n.Trouble {
		now[t.Reason]++
	}
	for reason, count := range now {
		m.SetGaugeWithLabels([]string{"node", "trouble"}, float32(count), byReason(reason))
		if count == 0 {
			delete(now, reason)
		}
	}
	m.reasons = now
}

func byReason(reason string) []metrics.Label { return []metrics.Label{{Name: "reason", Value: reason}} }

// revoked tells how many certificates are revoked: of those that this node holds,
// whatever it delivers for them, and of those that are fetched for the cluster.
// Canaries that are revoked by plan do not count.
func (m *meter) revoked(held func(func(writer.State)), planned func(id string) bool, leads *fetcher.Fetcher, plannedAnywhere func(id string) bool) {
	here := 0
	held(func(s writer.State) {
		if saysRevoked(s) && !planned(s.ID) {
			here++
		}
	})
	m.SetGauge([]string{"node", "revoked"}, float32(here))
	if leads == nil {
		return
	}
	m.SetGauge([]string{"fetch", "revoked"}, float32(leads.Held(staple.Revoked, plannedAnywhere)))
}

// fetching tells whether this agent fetches, and what came of it since the last
// time. Another fetcher's totals begin at nothing.
func (m *meter) fetching(f *fetcher.Fetcher, now fetcher.Counts) {
	if f != m.of {
		m.of, m.last = f, fetcher.Counts{}
	}
	leads := float32(0)
	if f != nil {
		leads = 1
	}
	m.SetGauge([]string{"fetch", "leads"}, leads)
	m.count([]string{"fetch", "requests"}, now.Requests, m.last.Requests, nil)
	m.count([]string{"fetch", "repeated"}, now.Repeated, m.last.Repeated, nil)
	m.count([]string{"fetch", "not_modified"}, now.NotModified, m.last.NotModified, nil)
	m.count([]string{"fetch", "published"}, now.Published, m.last.Published, nil)
	for outcome, total := range now.Turns {
		m.count([]string{"fetch", "certificates"}, total, m.last.Turns[outcome], []metrics.Label{{Name: "outcome", Value: outcome}})
	}
	for reason, total := range now.Failures {
		m.count([]string{"fetch", "failures"}, total, m.last.Failures[reason], byReason(reason))
	}
	for reason, total := range now.Remarks {
		m.count([]string{"fetch", "remarks"}, total, m.last.Remarks[reason], byReason(reason))
	}
	m.last = now
}

// fallback tells whether the node fetches for itself.
func (m *meter) fallback(on bool) {
	value := float32(0)
	if on {
		value = 1
	}
	m.SetGauge([]string{"fallback", "active"}, value)
}

// events tells how many events were told.
func (m *meter) events(t *event.Teller) {
	if t != m.by {
		m.by, m.lastTold = t, event.Counts{}
	}
	if t != nil {
		m.told(t.Counts())
	}
}

func (m *meter) told(now event.Counts) {
	m.count([]string{"events", "sent"}, now.Sent, m.lastTold.Sent, nil)
	m.count([]string{"events", "failed"}, now.Failed, m.lastTold.Failed, nil)
	m.count([]string{"events", "dropped"}, now.Dropped, m.lastTold.Dropped, nil)
	m.lastTold = now
}

// answers tells what came of OCSP requests.
func (m *meter) answers(a *pull.Answerer) {
	if a != m.answerer {
		m.answerer, m.answered = a, pull.Counts{}
	}
	if a != nil {
		m.asked(a.Counts())
	}
}

func (m *meter) asked(now pull.Counts) {
	for outcome, total := range map[string][2]uint64{
		"answered":     {now.Answered, m.answered.Answered},
		"not-modified": {now.NotModified, m.answered.NotModified},
		"unauthorized": {now.Unauthorized, m.answered.Unauthorized},
		"try-later":    {now.TryLater, m.answered.TryLater},
		"malformed":    {now.Malformed, m.answered.Malformed},
	} {
		m.count([]string{"pull", "requests"}, total[0], total[1], []metrics.Label{{Name: "outcome", Value: outcome}})
	}
	m.answered = now
}

// process tells what the agent itself takes, by the names of Consul's agent.
func (m *meter) process() {
	var memory runtime.MemStats
	runtime.ReadMemStats(&memory)
	m.SetGauge([]string{"runtime", "num_goroutines"}, float32(runtime.NumGoroutine()))
	m.SetGauge([]string{"runtime", "alloc_bytes"}, float32(memory.Alloc))
	m.SetGauge([]string{"runtime", "sys_bytes"}, float32(memory.Sys))
}

func (m *meter) count(key []string, now, before uint64, labels []metrics.Label) {
	if now > before {
		m.IncrCounterWithLabels(key, float32(now-before), labels)
	}
}

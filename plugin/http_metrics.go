package plugin

import (
	"iter"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/consul-ocsp/consul-ocsp/plugin/fetcher"
	"github.com/consul-ocsp/consul-ocsp/plugin/record"
	"github.com/consul-ocsp/consul-ocsp/plugin/status"
	"github.com/consul-ocsp/consul-ocsp/plugin/writer"
)

// sample is what Prometheus is told besides what is told as it happens.
func (p *parts) sample() status.Sample {
	cfg, now := p.settings.Load().Config, time.Now()
	n := p.tally()
	f := p.fetching.Load()
	s := status.Sample{
		Version: p.options.Version, Now: now, Single: cfg.HTTP != nil && cfg.HTTP.StapleMetrics,
		Leads: f != nil, Fallback: p.alone.Load() != nil,
		Certificates: n.Certificates, Stapled: n.Stapled, Troubles: map[string]int{},
	}
	for _, t := range n.Trouble {
		s.Troubles[t.Reason]++
	}
	if p.consul != nil {
		s.InCluster, s.ConsulDown, s.LastSync = true, p.consul.Silent(), p.lastSync(now)
	}
	if cfg.HasRole("deliver") {
		s.Views = append(s.Views, status.View{Name: status.Delivered, Lives: livesHere(p.delivered(now))})
	}
	if f != nil {
		s.Canaries = maps.Clone(p.canary.All())
		maps.DeleteFunc(s.Canaries, func(job string, c record.Canary) bool { return !p.settings.Load().IsCanary(job, c.Name) })
		s.Views = append(s.Views, status.View{Name: status.Fetched, Lives: livesFetched(f, p.plannedAnywhere)})
	}
	p.count(&s, f)
	return s
}

// livesHere are those of what this node delivers.
func livesHere(states []writer.State) iter.Seq[status.Life] {
	return func(yield func(status.Life) bool) {
		for _, s := range states {
			reason, _ := s.Failing()
			l := status.Life{
				ID: s.ID, Job: s.Job, Name: s.Name, Status: s.Applied.Status, MustStaple: s.MustStaple,
				ThisUpdate: s.Applied.ThisUpdate, Until: s.Applied.Until, Failing: reason != "", Planned: s.Planned,
			}
			if s.Held.Status == status.Revoked {
				l.Status = status.Revoked // whatever is delivered for it
			}
			if !yield(l) {
				return
			}
		}
	}
}

// livesFetched are those of what an agent fetches.
func livesFetched(f *fetcher.Fetcher, planned func(id string) bool) iter.Seq[status.Life] {
	return func(yield func(status.Life) bool) {
		f.Lives(func(l fetcher.Life) bool {
			return yield(status.Life{
				ID: l.ID, Job: l.Job, Name: l.Name, Status: l.Status, MustStaple: l.MustStaple,
				ThisUpdate: l.ThisUpdate, Until: l.Until, Failing: l.Failing, Planned: l.Status == status.Revoked && planned(l.ID),
			})
		})
	}
}

// counted are the totals of parts that come and go.
type counted struct {
	mu                     sync.Mutex
	fetched, pulled, tried totals
}

// count adds the totals to s.
func (p *parts) count(s *status.Sample, f *fetcher.Fetcher) {
	c := &p.counted
	c.mu.Lock()
	defer c.mu.Unlock()
	if f != nil {
		now := f.Counts()
		now.Turns[""], now.Turns["published"] = now.Requests, now.Published
		c.fetched.take(f, now.Turns)
	}
	if a := p.answering.Load(); a != nil {
		now := a.Counts()
		c.pulled.take(a, map[string]uint64{
			"answered": now.Answered, "not-modified": now.NotModified, "unauthorized": now.Unauthorized,
			"try-later": now.TryLater, "malformed": now.Malformed,
		})
	}
	if t := p.telling.Load(); t != nil {
		now := t.Counts()
		c.tried.take(t, map[string]uint64{"sent": now.Sent, "failed": now.Failed, "dropped": now.Dropped})
	}
	s.Turns, s.Pulled, s.Events = c.fetched.all(), c.pulled.all(), c.tried.all()
	s.Requests, s.Published = s.Turns[""], s.Turns["published"]
	delete(s.Turns, "")
	delete(s.Turns, "published")
}

// totals go on where another part begins at nothing.
type totals struct {
	of        any // whose last is
	last, sum map[string]uint64
}

func (t *totals) take(of any, now map[string]uint64) {
	if of != t.of {
		t.of, t.last = of, nil
	}
	if t.sum == nil {
		t.sum = map[string]uint64{}
	}
	for name, n := range now {
		t.sum[name] += n - min(n, t.last[name])
	}
	t.last = now
}

func (t *totals) all() map[string]uint64 {
	all := make(map[string]uint64, len(t.sum))
	for name, n := range t.sum {
		all[name] = n
	}
	return all
}

// allHave reports whether every target of s was given what is applied.
func allHave(s writer.State) bool {
	return !slices.ContainsFunc(s.Targets, func(t writer.TargetState) bool {
		return t.Reason != "" || t.SHA256 != s.Applied.SHA256
	})
}

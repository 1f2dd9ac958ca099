package consul

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hashicorp/consul/api"

	"github.com/consul-ocsp/consul-ocsp/plugin/record"
)

const (
	benchFollowers = 100
	// benchWatchers do what followers do with a keyprefix watch: 100 of them
	// would have the server send 2 GB for each change.
	benchWatchers = 3
)

// BenchmarkFollow shows what a change among 10,000 certificates costs 100
// nodes: 90 of them hold 9,000 certificates, the others the last 1,000. Then
// the same for a few that do it with a keyprefix watch, and with
// consul-template, which verify nothing.
func BenchmarkFollow(b *testing.B) {
	s := newScene(b, benchCerts)
	many, few := s.ids[:9*benchCerts/10], s.ids[9*benchCerts/10:]
	ctx, cancel := context.WithCancel(b.Context())
	var wg sync.WaitGroup
	defer wg.Wait()
	defer cancel()
	s.lead(func(leading context.Context, t *Term) {
		all := s.next(s.ids...)
		s.publish(leading, t, all)
		before := make(map[string]record.Meta, len(all))
		for _, st := range all {
			before[st.ID] = st.Meta
		}
		var most, rest []*simulated
		for i := range benchFollowers {
			if i%10 > 0 {
				most = append(most, s.follow(ctx, &wg, many, before))
			} else {
				rest = append(rest, s.follow(ctx, &wg, few, before))
			}
		}
		everyone := append(append([]*simulated{}, most...), rest...)
		for _, f := range everyone {
			// It has compared everything and waits for what comes next.
			s.until("the start", func() bool { return f.traffic.heads.Load() > 1 })
		}
		first := s.next(many[0], few[0])
		s.publish(leading, t, first)
		for _, f := range most {
			s.until("a first change", func() bool { ok, _ := f.has(first[:1]); return ok })
		}
		for _, f := range rest {
			s.until("a first change", func() bool { ok, _ := f.has(first[1:]); return ok })
		}
		b.Run("changes=1/consul-ocsp", func(b *testing.B) { s.followChanges(b, leading, t, most, rest, many[:1]) })
		b.Run("changes=60/consul-ocsp", func(b *testing.B) { s.followChanges(b, leading, t, most, rest, many[:60]) })
		b.Run("changes=1000/consul-ocsp", func(b *testing.B) { s.followChanges(b, leading, t, rest, most, few) })
		for _, f := range everyone {
			if len(f.c.missed) > 0 {
				b.Error("a follower missed publications")
			}
		}
		cancel()
		wg.Wait()
		for _, n := range []int{1, 60, 1000} {
			b.Run(fmt.Sprintf("changes=%d/keyprefix", n), func(b *testing.B) { s.watchChanges(b, leading, t, few[:n]) })
			b.Run(fmt.Sprintf("changes=%d/consul-template", n), func(b *testing.B) { s.templateChanges(b, leading, t, few[:n]) })
		}
	})
}

// followChanges publishes responses to ids, which holders have and others
// don't.
func (s *scene) followChanges(b *testing.B, ctx context.Context, t *Term, holders, others []*simulated, ids []string) {
	sum := func(fs []*simulated) (r reading) {
		for _, f := range fs {
			one := f.traffic.read()
			r.bytes += one.bytes
			r.heads += one.heads
		}
		return r
	}
	settled := func() {
		last := int64(-1)
		for range time.Tick(50 * time.Millisecond) {
			now := sum(holders).bytes + sum(others).bytes
			if now == last {
				return
			}
			last = now
		}
	}
	settled()
	holding, other := sum(holders), sum(others)
	var worst, total time.Duration
	for b.Loop() {
		b.StopTimer()
		list := s.next(ids...)
		b.StartTimer()
		began := time.Now()
		s.publish(ctx, t, list)
		var last time.Time
		for _, f := range holders {
			s.until("a change", func() bool {
				ok, at := f.has(list)
				if at.After(last) {
					last = at
				}
				return ok
			})
		}
		b.StopTimer()
		total += last.Sub(began)
		worst = max(worst, last.Sub(began))
		settled()
		b.StartTimer()
	}
	each := func(v int64, of int) float64 { return float64(v) / float64(of) / float64(b.N) }
	b.ReportMetric(each(sum(holders).bytes-holding.bytes, len(holders)), "B/holder")
	b.ReportMetric(each(sum(others).bytes-other.bytes, len(others)), "B/other")
	b.ReportMetric(each(sum(others).heads-other.heads, len(others)), "wakes/node")
	b.ReportMetric(float64(total.Milliseconds())/float64(b.N), "ms/last-verified")
	b.ReportMetric(float64(worst.Milliseconds()), "ms/worst")
	b.ReportMetric(0, "ns/op")
}

// watchChanges has watchers of a prefix, as `consul watch` runs them.
func (s *scene) watchChanges(b *testing.B, ctx context.Context, t *Term, ids []string) {
	var seen [benchWatchers]atomic.Uint64
	var flows []*traffic
	for i := range benchWatchers {
		flows = append(flows, s.keyprefix(b, "consul-ocsp/v1/der/", func(pairs api.KVPairs) {
			newest := uint64(0)
			for _, p := range pairs {
				newest = max(newest, p.ModifyIndex)
			}
			seen[i].Store(newest)
		}))
	}
	reached := func(index uint64) {
		for i := range seen {
			s.until("a watch", func() bool { return seen[i].Load() >= index })
		}
	}
	reached(1)
	s.compared(b, ctx, t, flows, ids, func(last record.Staple) {
		pair, _, err := s.server.Client().KV().Get("consul-ocsp/v1/der/"+last.ID, nil)
		if err != nil {
			b.Fatal(err)
		}
		reached(pair.ModifyIndex)
	})
}

// templateChanges has one consul-template render all responses.
func (s *scene) templateChanges(b *testing.B, ctx context.Context, t *Term, ids []string) {
	last := ids[len(ids)-1:]
	found, err := t.c.Staples(ctx, last)
	if err != nil {
		b.Fatal(err)
	}
	flow, holds := s.template(b, `{{ range ls "consul-ocsp/v1/der" }}{{ .Key }} {{ base64Encode .Value }}
{{ end }}`)
	s.until("the first rendering", func() bool { return holds(encoded(found[last[0]].DER)) })
	s.compared(b, ctx, t, []*traffic{flow}, ids, func(last record.Staple) {
		s.until("a rendering", func() bool { return holds(encoded(last.DER)) })
	})
}

// compared publishes changes of ids, waits for the last of each, after which
// whoever reads all has the others too, and reports what went over flows.
func (s *scene) compared(b *testing.B, ctx context.Context, t *Term, flows []*traffic, ids []string, wait func(last record.Staple)) {
	sum := func() (n int64) {
		for _, f := range flows {
			n += f.bytes.Load()
		}
		return n
	}
	before := sum()
	var worst, total time.Duration
	for b.Loop() {
		b.StopTimer()
		list := s.next(ids...)
		b.StartTimer()
		began := time.Now()
		s.publish(ctx, t, list)
		wait(list[len(list)-1])
		total += time.Since(began)
		worst = max(worst, time.Since(began))
	}
	b.ReportMetric(float64(sum()-before)/float64(len(flows))/float64(b.N), "B/holder")
	b.ReportMetric(float64(total.Milliseconds())/float64(b.N), "ms/last-seen")
	b.ReportMetric(float64(worst.Milliseconds()), "ms/worst")
	b.ReportMetric(float64(len(flows)), "nodes")
	b.ReportMetric(0, "ns/op")
}

package consul

import (
	"context"
	"testing"
)

// BenchmarkPublish publishes 10,000 changed responses, fenced, as a leader does
// whose CA has renewed them all.
func BenchmarkPublish(b *testing.B) {
	s := newScene(b, benchCerts)
	s.lead(func(ctx context.Context, t *Term) {
		s.publish(ctx, t, s.next(s.ids...))
		for b.Loop() {
			b.StopTimer()
			list := s.next(s.ids...)
			b.StartTimer()
			s.publish(ctx, t, list)
		}
		b.ReportMetric(b.Elapsed().Seconds()/float64(b.N), "s/10000")
	})
}

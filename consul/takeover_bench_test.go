package consul

import (
	"context"
	"testing"
	"time"

	"github.com/consul-ocsp/consul-ocsp/consul/consultest"
	"github.com/consul-ocsp/consul-ocsp/plugin/record"
)

// BenchmarkTakeover is the time, with the default settings, from the death of a
// leader without a word, as by kill -9, until another one has published.
func BenchmarkTakeover(b *testing.B) {
	s := consultest.Start(b)
	var worst time.Duration
	for b.Loop() {
		b.StopTimer()
		dead, alive := defaultClient(b, s), defaultClient(b, s)
		id, err := dead.createSession(b.Context(), "dead") // which nobody renews
		if err != nil {
			b.Fatal(err)
		}
		if _, err := dead.acquire(&session{c: dead, id: id, ctx: b.Context()}, record.Leader{Node: "dead"}); err != nil {
			b.Fatal(err)
		}
		b.StartTimer()
		began := time.Now()
		ctx, cancel := context.WithCancel(b.Context())
		err = alive.Campaign(ctx, record.Leader{Node: "alive"}, func(ctx context.Context, term *Term) error {
			err := term.Publish(ctx, []record.Staple{response(testID(1), 1)})
			worst = max(worst, time.Since(began))
			cancel()
			return err
		})
		if err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(worst.Seconds(), "s/worst")
	b.ReportMetric(0, "ns/op")
}

func defaultClient(b *testing.B, s *consultest.Server) *Client {
	b.Helper()
	c, err := New(Config{Address: s.Address(), Path: "takeover/"})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(c.Close)
	return c
}

package consul

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/consul/api"

	"github.com/consul-ocsp/consul-ocsp/plugin/record"
	"github.com/consul-ocsp/consul-ocsp/plugin/testca"
)

// benchNodes announce in one process, each with a client of its own.
const benchNodes = 300

// announcer is one of them.
type announcer struct {
	c       *Client
	traffic *traffic
}

// announceAll has all nodes announce certs, each after a part of splay, and
// tells what it took them all.
func (s *scene) announceAll(b *testing.B, nodes []announcer, certs map[string]record.Certificate, splay time.Duration) (sum reading) {
	b.Helper()
	before := make([]reading, len(nodes))
	errs := make([]error, len(nodes))
	var wg sync.WaitGroup
	for i, n := range nodes {
		before[i] = n.traffic.read()
		wait := splay * time.Duration(i) / time.Duration(len(nodes))
		wg.Go(func() { // ends by itself
			sleep(b.Context(), wait)
			errs[i] = n.c.AnnounceOnce(b.Context(), certs, AnnounceOptions{})
		})
	}
	wg.Wait()
	if err := errors.Join(errs...); err != nil {
		b.Fatal(err)
	}
	for i, n := range nodes {
		one := n.traffic.since(before[i])
		sum.bytes, sum.requests, sum.txns = sum.bytes+one.bytes, sum.requests+one.requests, sum.txns+one.txns
	}
	return sum
}

// BenchmarkAnnounce has 300 nodes that hold the same 10,000 certificates
// announce them within the default splay: first where nothing is announced, then
// where all is. Last, the time from one more announcement until the leader
// knows the certificate.
func BenchmarkAnnounce(b *testing.B) {
	s := newScene(b, benchCerts)
	certs := make(map[string]record.Certificate, len(s.ids))
	for _, id := range s.ids {
		certs[id] = record.Certificate{Leaf: s.issued[id].Leaf.Raw, Issuer: s.ca.Certificate().Raw, Names: s.issued[id].Leaf.DNSNames, Job: "edge", Name: s.issued[id].Name}
	}
	nodes := make([]announcer, benchNodes)
	for i := range nodes {
		nodes[i].c, nodes[i].traffic = countedClient(b, s.config())
	}
	const splay = 20 * time.Second
	report := func(b *testing.B, sum reading) {
		b.ReportMetric(float64(sum.txns)/float64(b.N), "requests")
		b.ReportMetric(float64(sum.bytes)/float64(b.N)/benchNodes, "B/node")
		b.ReportMetric(0, "ns/op")
	}
	b.Run("first", func(b *testing.B) {
		var sum reading
		for b.Loop() {
			b.StopTimer()
			if _, err := s.server.Client().KV().DeleteTree("consul-ocsp/", &api.WriteOptions{}); err != nil {
				b.Fatal(err)
			}
			b.StartTimer()
			one := s.announceAll(b, nodes, certs, splay)
			sum.bytes, sum.txns = sum.bytes+one.bytes, sum.txns+one.txns
		}
		report(b, sum)
	})
	b.Run("present", func(b *testing.B) {
		var sum reading
		for b.Loop() {
			one := s.announceAll(b, nodes, certs, splay/10)
			sum.bytes, sum.txns = sum.bytes+one.bytes, sum.txns+one.txns
		}
		report(b, sum)
	})
	b.Run("new", func(b *testing.B) { s.announceNew(b, nodes[0].c) })
}

// announceNew measures the time until a leader of 10,000 announced certificates
// knows one more.
func (s *scene) announceNew(b *testing.B, node *Client) {
	leader, _ := countedClient(b, s.config())
	ctx, cancel := context.WithCancel(b.Context())
	var wg sync.WaitGroup
	defer wg.Wait()
	defer cancel()
	known := make(chan map[string]record.Certificate, 100)
	wg.Go(func() { // ends with ctx
		_ = leader.TryLead(ctx, record.Leader{Node: "leader"}, func(ctx context.Context, t *Term) error {
			return t.Announced(ctx, AnnouncedOptions{}, listening(func(all map[string]record.Certificate, _ Announcements) { known <- all }))
		})
	})
	if n := len(<-known); n != benchCerts {
		b.Fatalf("the leader knows %d certificates", n)
	}
	var worst time.Duration
	for b.Loop() {
		b.StopTimer()
		issued, err := s.ca.Issue([]string{"new.example.test"}, testca.IssueOptions{})
		if err != nil {
			b.Fatal(err)
		}
		cert := record.Certificate{Leaf: issued.Leaf.Raw, Issuer: s.ca.Certificate().Raw, Job: "edge"}
		b.StartTimer()
		began := time.Now()
		if err := node.AnnounceOnce(ctx, map[string]record.Certificate{cert.ID(): cert}, AnnounceOptions{}); err != nil {
			b.Fatal(err)
		}
		for all := range known {
			if _, ok := all[cert.ID()]; ok {
				break
			}
		}
		worst = max(worst, time.Since(began))
	}
	b.ReportMetric(float64(worst.Milliseconds()), "ms/worst")
}

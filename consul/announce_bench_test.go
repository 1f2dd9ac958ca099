package consul

import (
	"context"
	"errors"
	"strings"
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
		sum = sum.plus(n.traffic.since(before[i]))
	}
	return sum
}

// BenchmarkAnnounce has 300 nodes that hold the same 10,000 certificates
// announce them within the default splay: first where nothing is announced, then
// where all is. Last, the time from one more announcement until the leader knows
// the certificate, and what it read for that; then the same for a keyprefix
// watch of all certificates, and for consul-template.
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
		b.ReportMetric(float64(sum.requests)/float64(b.N), "requests")
		b.ReportMetric(float64(sum.conflicts)/float64(b.N), "conflicts")
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
			sum = sum.plus(s.announceAll(b, nodes, certs, splay))
		}
		report(b, sum)
	})
	b.Run("present", func(b *testing.B) {
		var sum reading
		for b.Loop() {
			sum = sum.plus(s.announceAll(b, nodes, certs, splay/10))
		}
		report(b, sum)
	})
	b.Run("new/consul-ocsp", func(b *testing.B) { s.announceNew(b, nodes[0].c) })
	b.Run("new/keyprefix", func(b *testing.B) { s.newByKeyprefix(b, nodes[0].c) })
	b.Run("new/consul-template", func(b *testing.B) { s.newByTemplate(b, nodes[0].c) })
}

// announceNew measures the time until a leader of 10,000 announced certificates
// knows one more.
func (s *scene) announceNew(b *testing.B, node *Client) {
	leader, flow := countedClient(b, s.config())
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
	if n := len(<-known); n < benchCerts {
		b.Fatalf("the leader knows %d certificates", n)
	}
	s.announced(b, node, flow, func(id string) {
		for all := range known {
			if _, ok := all[id]; ok {
				return
			}
		}
	})
}

// newByKeyprefix has a watch of all certificates tell of one more.
func (s *scene) newByKeyprefix(b *testing.B, node *Client) {
	known := make(chan api.KVPairs, 100)
	flow := s.keyprefix(b, "consul-ocsp/v1/certificate/", func(pairs api.KVPairs) { known <- pairs })
	if n := len(<-known); n < benchCerts {
		b.Fatalf("the watch knows %d certificates", n)
	}
	s.announced(b, node, flow, func(id string) {
		for pairs := range known {
			for _, pair := range pairs {
				if strings.HasSuffix(pair.Key, id) {
					return
				}
			}
		}
	})
}

// newByTemplate has consul-template render the ids of all certificates.
func (s *scene) newByTemplate(b *testing.B, node *Client) {
	flow, holds := s.template(b, "{{ range ls \"consul-ocsp/v1/certificate\" }}{{ .Key }}\n{{ end }}")
	s.until("the first rendering", func() bool { return holds(s.ids[0]) })
	s.announced(b, node, flow, func(id string) { s.until("a rendering", func() bool { return holds(id) }) })
}

// announced has a node announce one certificate after the other, each of which
// heard waits for, and reports what that took.
func (s *scene) announced(b *testing.B, node *Client, flow *traffic, heard func(id string)) {
	before := flow.read()
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
		if err := node.AnnounceOnce(b.Context(), map[string]record.Certificate{cert.ID(): cert}, AnnounceOptions{}); err != nil {
			b.Fatal(err)
		}
		heard(cert.ID())
		worst = max(worst, time.Since(began))
	}
	b.ReportMetric(float64(flow.since(before).bytes)/float64(b.N), "B/reader")
	b.ReportMetric(float64(worst.Milliseconds()), "ms/worst")
}

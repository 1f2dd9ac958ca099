package main

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/consul-ocsp/consul-ocsp/consul"
	"github.com/consul-ocsp/consul-ocsp/consul/consultest"
	"github.com/consul-ocsp/consul-ocsp/plugin/record"
	"github.com/consul-ocsp/consul-ocsp/plugin/testca"
)

// BenchmarkNewCertificate is how long it takes, from the announcement of one more
// certificate where 10,000 are announced and fetched already, until the leading
// agent asks the responder for it, and until its response is in Consul.
func BenchmarkNewCertificate(b *testing.B) {
	dir, server := b.TempDir(), consultest.Start(b)
	newHoard(b, benchStart).fill(server.Client(), filepath.Join(dir, "data"))
	ca, err := testca.Init(filepath.Join(dir, "ca"), testca.InitOptions{})
	if err != nil {
		b.Fatal(err)
	}
	answer := ca.Responder(testca.ResponderOptions{})
	asked := make(chan time.Time, 100)
	responder := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked <- time.Now()
		answer.ServeHTTP(w, r)
	}))
	b.Cleanup(responder.Close)
	job := filepath.Join(dir, "leader.hcl")
	text := fmt.Sprintf(`node_name = "leader"
roles     = ["fetch"]
data_dir  = %q
lock_dir  = %q
consul {
  address = %q
}
fetch {
  min_delay = "6h"
  max_delay = "24h"
  allow_private_addresses = true
}
`, filepath.Join(dir, "data"), filepath.Join(dir, "lock"), server.Address())
	if err := os.WriteFile(job, []byte(text), 0o600); err != nil {
		b.Fatal(err)
	}
	node, err := consul.New(consul.Config{Address: server.Address()})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(node.Close)
	m := startMeasured(b, built(b), "agent", "-config-file="+job)
	announce := func() (id string) {
		issued, err := ca.Issue([]string{"new.example.test"}, testca.IssueOptions{Responders: []string{responder.URL}})
		if err != nil {
			b.Fatal(err)
		}
		cert := record.Certificate{Leaf: issued.Leaf.Raw, Issuer: ca.Certificate().Raw, Job: "edge"}
		id = cert.ID()
		if err := node.AnnounceOnce(b.Context(), map[string]record.Certificate{id: cert}, consul.AnnounceOptions{}); err != nil {
			b.Fatal(err)
		}
		return id
	}
	fetched := func() time.Time {
		select {
		case at := <-asked:
			return at
		case <-time.After(2 * time.Minute):
			b.Fatalf("the responder was not asked:\n%s", m.log)
			panic("unreachable")
		}
	}
	published := func(id string) {
		deadline := time.Now().Add(2 * time.Minute)
		for look := time.Tick(5 * time.Millisecond); ; <-look {
			pair, _, err := server.Client().KV().Get("consul-ocsp/v1/der/"+id, nil)
			if err == nil && pair != nil {
				return
			}
			if time.Now().After(deadline) {
				b.Fatalf("nothing was published: %v\n%s", err, m.log)
			}
		}
	}
	// The first one shows that the agent leads and knows all.
	first := announce()
	fetched()
	published(first)
	var toFetch, toPublish time.Duration
	for b.Loop() {
		began := time.Now()
		id := announce()
		toFetch = max(toFetch, fetched().Sub(began))
		published(id)
		toPublish = max(toPublish, time.Since(began))
	}
	b.ReportMetric(toFetch.Seconds(), "s/worst-fetch")
	b.ReportMetric(toPublish.Seconds(), "s/worst-published")
	b.ReportMetric(0, "ns/op")
}

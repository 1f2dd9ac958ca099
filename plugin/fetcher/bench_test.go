package fetcher

import (
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/consul-ocsp/consul-ocsp/plugin/responder"
	"github.com/consul-ocsp/consul-ocsp/plugin/staple"
	"github.com/consul-ocsp/consul-ocsp/plugin/testca"
	"github.com/consul-ocsp/consul-ocsp/plugin/testca/testcatest"
)

// BenchmarkPass fetches, verifies and hands on 500 certificates over HTTP. The
// responder shares the machine; it signs once for each certificate.
func BenchmarkPass(b *testing.B) {
	ca := testcatest.Init(b, testca.InitOptions{})
	var signed sync.Map // by path
	signing := ca.Responder(testca.ResponderOptions{Validity: 24 * time.Hour})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		answer, ok := signed.Load(r.URL.EscapedPath())
		if !ok {
			fresh := httptest.NewRecorder()
			signing.ServeHTTP(fresh, r)
			answer, _ = signed.LoadOrStore(r.URL.EscapedPath(), fresh.Body.Bytes())
		}
		w.Write(answer.([]byte))
	}))
	defer server.Close()
	client := responder.New(responder.Config{})
	defer client.Close()
	issued := testcatest.IssueMany(b, ca, testca.IssueOptions{Responders: []string{server.URL}}, 500, "c%d.example.com")
	var targets []Target
	for _, c := range issued {
		targets = append(targets, Target{ID: staple.ID(c.Leaf), Leaf: c.Leaf, Issuer: ca.Certificate(), Name: c.Name,
			Settings: Settings{Concurrency: 128, Rate: 10000}})
	}
	for b.Loop() {
		m := newMemory()
		f := New(Config{Store: m, Publisher: m, Client: client})
		f.Set(targets)
		for _, r := range f.Pass(b.Context(), PassOptions{}) {
			if r.Outcome != Fetched {
				b.Fatal(r.Err)
			}
		}
	}
	b.ReportMetric(float64(len(targets)*b.N)/b.Elapsed().Seconds(), "certificates/s")
}

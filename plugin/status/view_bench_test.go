package status

import (
	"context"
	"fmt"
	"iter"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/consul-ocsp/consul-ocsp/plugin/record"
)

// large has 10,000 certificates on 300 nodes.
func large() *record.Snapshot {
	s := &record.Snapshot{Metas: map[string]record.Meta{}, Nodes: map[string]record.Node{}}
	var list []record.Applied
	for i := range 10_000 {
		id := fmt.Sprintf("%012x%052x", i, i)
		m := meta(fmt.Sprintf("www-%d", i), day, 3*day, nil)
		s.Metas[id] = m
		list = append(list, record.Applied{ID: id, ThisUpdate: m.ThisUpdate})
	}
	for i := range 300 {
		name := fmt.Sprintf("node-%d", i)
		s.Nodes[name] = node(name, time.Minute, func(n *record.Node) { n.Applied = list })
	}
	return s
}

// BenchmarkStatus is what it costs to make a view of a large cluster, and what
// each further asker costs.
func BenchmarkStatus(b *testing.B) {
	s := large()
	for _, path := range []string{"/v1/status", "/v1/nodes"} {
		made := func() http.Handler {
			return Handler(b.Context(), HandlerOptions{Read: func(context.Context) (*Report, error) { return FromSnapshot(s, noon), nil }})
		}
		ask := func(h http.Handler) int {
			w, r := httptest.NewRecorder(), httptest.NewRequest("GET", path, nil)
			w.Body = nil
			r.Header.Set("Accept-Encoding", "gzip")
			h.ServeHTTP(w, r)
			if w.Code != http.StatusOK {
				b.Fatal(w.Code)
			}
			var size int
			_, _ = fmt.Sscan(w.Header().Get("Content-Length"), &size)
			return size
		}
		b.Run("first"+path, func(b *testing.B) {
			for b.Loop() {
				b.ReportMetric(float64(ask(made())), "bytes")
			}
		})
		b.Run("further"+path, func(b *testing.B) {
			h := made()
			ask(h)
			for b.Loop() {
				ask(h)
			}
		})
	}
}

// BenchmarkScrape is a scrape of a node with very many certificates, with series
// of single ones and without.
func BenchmarkScrape(b *testing.B) {
	for _, single := range []bool{true, false} {
		b.Run(fmt.Sprintf("single=%v", single), func(b *testing.B) {
			m := NewMetrics(func() Sample {
				return Sample{Now: noon, Single: single, Views: []View{{Delivered, iter.Seq[Life](func(yield func(Life) bool) {
					for i := range 100_000 {
						if !yield(Life{ID: fmt.Sprintf("%064x", i), Job: "edge", Name: fmt.Sprint(i), Status: "good", ThisUpdate: noon, Until: noon.Add(time.Duration(i))}) {
							return
						}
					}
				})}}}
			})
			for b.Loop() {
				w := httptest.NewRecorder()
				m.Handler().ServeHTTP(w, httptest.NewRequest("GET", "/v1/metrics", nil))
				b.ReportMetric(float64(w.Body.Len()), "bytes")
			}
		})
	}
}

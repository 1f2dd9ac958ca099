package plugin

import (
	"runtime"
	"testing"

	"github.com/hashicorp/go-hclog"

	"github.com/consul-ocsp/consul-ocsp/consul"
	"github.com/consul-ocsp/consul-ocsp/hclconfig"
	"github.com/consul-ocsp/consul-ocsp/plugin/fetcher"
	"github.com/consul-ocsp/consul-ocsp/plugin/record"
	"github.com/consul-ocsp/consul-ocsp/plugin/settings"
	"github.com/consul-ocsp/consul-ocsp/plugin/staple"
	"github.com/consul-ocsp/consul-ocsp/plugin/testca"
	"github.com/consul-ocsp/consul-ocsp/plugin/testca/testcatest"
)

// BenchmarkAnnouncedMemory shows what a leader holds for each announced certificate before its first fetch: what it was
// told, what it made of it, and the fetcher's part.
func BenchmarkAnnouncedMemory(b *testing.B) {
	const n = 5000
	ca := testcatest.Init(b, testca.InitOptions{})
	issued := testcatest.IssueMany(b, ca, testca.IssueOptions{Responders: []string{"http://ocsp.example.com"}}, n, "c%d.example.com")
	encoded := map[string][]byte{}
	for _, c := range issued {
		r := record.Certificate{Leaf: c.Leaf.Raw, Issuer: ca.Certificate().Raw, Names: []string{c.Name}, Job: "edge", Name: c.Name}
		text, err := r.Encode()
		if err != nil {
			b.Fatal(err)
		}
		encoded[staple.ID(c.Leaf)] = text
	}
	issued = nil
	before := heap()
	p := &settings.Settings{Config: &hclconfig.Config{}}
	h := &holding{logger: hclog.NewNullLogger(), settings: p}
	l := h.hear(p, "", func() {})
	for id, text := range encoded {
		c, err := record.DecodeCertificate(id, text)
		if err != nil {
			b.Fatal(err)
		}
		l.Take(id, c)
	}
	l.Changed(consul.Announcements{})
	f := fetcher.New(fetcher.Config{})
	f.SetEach(h.targets())
	after := heap()
	if states := f.States(); len(states) != n || len(l.believed) != n {
		b.Fatalf("%d targets of %d", len(states), n)
	}
	b.ReportMetric(float64(after-before)/n, "bytes/certificate")
	b.ReportMetric(0, "ns/op")
	runtime.KeepAlive(encoded)
	runtime.KeepAlive(h)
	runtime.KeepAlive(f)
}

// heap is what is in use.
func heap() int64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

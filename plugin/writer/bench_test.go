package writer

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/consul-ocsp/consul-ocsp/plugin/record"
	"github.com/consul-ocsp/consul-ocsp/plugin/staple"
	"github.com/consul-ocsp/consul-ocsp/plugin/testca"
	"github.com/consul-ocsp/consul-ocsp/plugin/testca/testcatest"
)

// BenchmarkStart is a node's start: everything verified from data_dir and
// files, nothing to write.
func BenchmarkStart(b *testing.B) {
	const n = 1000
	w := newBench(b)
	certs := w.issueMany(n)
	w.writer.Set(certs)
	list := make([]record.Staple, n)
	for i, c := range certs {
		list[i] = from(c, w.answer(c, time.Minute))
	}
	for _, r := range w.writer.Pass(context.Background(), list) {
		if r.Outcome != Applied {
			b.Fatalf("%+v", r)
		}
	}
	for b.Loop() {
		w.restart()
		w.writer.Set(certs)
		if r := w.writer.Pass(context.Background(), nil); r[0].Outcome != Unchanged {
			b.Fatalf("%+v", r[0])
		}
	}
	b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N)/n, "µs/certificate")
}

func (b *bench) issueMany(n int) []Certificate {
	b.t.Helper()
	issued := testcatest.IssueMany(b.t, b.ca, testca.IssueOptions{}, n, "w%d.example.com")
	certs := make([]Certificate, n)
	for i, c := range issued {
		certs[i] = Certificate{
			ID: staple.ID(c.Leaf), Job: "edge", Name: c.Name, Path: fmt.Sprintf("%s/%s.pem", b.folder, c.Name), Leaf: c.Leaf,
			Issuer: b.ca.Certificate(), IssuerInPEM: true, IssuerKnown: true, WriteFile: true,
		}
	}
	return certs
}

package plugin

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/consul-ocsp/consul-ocsp/consul"
	"github.com/consul-ocsp/consul-ocsp/consul/consultest"
	"github.com/consul-ocsp/consul-ocsp/hclconfig"
	"github.com/consul-ocsp/consul-ocsp/plugin/haproxy"
	"github.com/consul-ocsp/consul-ocsp/plugin/haproxy/haproxytest"
	"github.com/consul-ocsp/consul-ocsp/plugin/record"
	"github.com/consul-ocsp/consul-ocsp/plugin/staple"
	"github.com/consul-ocsp/consul-ocsp/plugin/testca"
)

// benchStart is how many certificates the starting node has.
const benchStart = 10_000

// starting is a node before its start: everything is published, a HAProxy
// serves all certificates and takes responses for them, the disk is empty.
type starting struct {
	b       *testing.B
	ca      *testca.CA
	server  *consultest.Server
	folder  string
	issued  []*testca.Issued
	haproxy *haproxytest.Process
}

func newStarting(b *testing.B, n int) *starting {
	b.Helper()
	dir := b.TempDir()
	ca, err := testca.Init(filepath.Join(dir, "ca"), testca.InitOptions{})
	if err != nil {
		b.Fatal(err)
	}
	s := &starting{b: b, ca: ca, server: consultest.Start(b), folder: filepath.Join(dir, "certs")}
	if err := os.Mkdir(s.folder, 0o700); err != nil {
		b.Fatal(err)
	}
	names := make([]string, n)
	for i := range names {
		names[i] = fmt.Sprintf("n%d.example.test", i)
	}
	if s.issued, err = ca.IssueMany(names, testca.IssueOptions{}); err != nil {
		b.Fatal(err)
	}
	older := s.answers(time.Hour)
	for i, issued := range s.issued {
		pem := s.pem(issued)
		if err := os.Rename(issued.Path, pem); err != nil {
			b.Fatal(err)
		}
		if err := os.WriteFile(pem+".ocsp", older[i], 0o600); err != nil {
			b.Fatal(err)
		}
	}
	s.haproxy = haproxytest.Start(b, haproxytest.Options{Certs: []string{s.folder}})
	for _, issued := range s.issued {
		if err := os.Remove(s.pem(issued) + ".ocsp"); err != nil {
			b.Fatal(err)
		}
	}
	return s
}

func (s *starting) pem(i *testca.Issued) string {
	return filepath.Join(s.folder, filepath.Base(i.Path))
}

// answers are responses of this age, in the order of the certificates.
func (s *starting) answers(age time.Duration) [][]byte {
	s.b.Helper()
	this := time.Now().Add(-age)
	ders := make([][]byte, len(s.issued))
	for i, issued := range s.issued {
		der, err := s.ca.Respond(testca.Answer{Serial: issued.Serial, ThisUpdate: this, NextUpdate: this.Add(24 * time.Hour)})
		if err != nil {
			s.b.Fatal(err)
		}
		ders[i] = der
	}
	return ders
}

// publish publishes newer responses for all.
func (s *starting) publish(age time.Duration) [][]byte {
	s.b.Helper()
	c, err := consul.New(consul.Config{Address: s.server.Address()})
	if err != nil {
		s.b.Fatal(err)
	}
	defer c.Close()
	ders := s.answers(age)
	list := make([]record.Staple, len(ders))
	for i, der := range ders {
		facts, err := staple.Verify(der, s.issued[i].Leaf, s.ca.Certificate(), staple.Options{Now: time.Now()})
		if err != nil {
			s.b.Fatal(err)
		}
		list[i] = record.Staple{ID: staple.ID(s.issued[i].Leaf), DER: der, Meta: record.Meta{
			SHA256: facts.SHA256(), Serial: facts.Serial(), Status: "good", ThisUpdate: facts.ThisUpdate, NextUpdate: facts.NextUpdate, Until: facts.Until,
		}}
	}
	err = c.TryLead(s.b.Context(), record.Leader{Node: "leader"}, func(ctx context.Context, t *consul.Term) error { return t.Publish(ctx, list) })
	if err != nil {
		s.b.Fatal(err)
	}
	return ders
}

// agent is a node that delivers, with this data_dir.
func (s *starting) agent(data string) *Agent {
	s.b.Helper()
	text := fmt.Sprintf(`
roles     = ["deliver"]
node_name = "node"
data_dir  = %q
lock_dir  = %q
consul {
  address = %q
}
job "edge" {
  certificates {
    paths = [%q]
  }
  deliver "haproxy" {
    socket = %q
  }
}
`, data, filepath.Join(s.b.TempDir(), "lock"), s.server.Address(), s.folder, s.haproxy.Socket())
	cfg, err := hclconfig.Parse([]hclconfig.File{{Name: "job.hcl", Source: []byte(text)}}, nil)
	if err != nil {
		s.b.Fatal(err)
	}
	a, err := New(cfg, Options{Version: "test", Logger: hclog.NewNullLogger()})
	if err != nil {
		s.b.Fatal(err)
	}
	return a
}

// complete waits until everything is verified, written and pushed.
func (s *starting) complete(a *Agent) {
	s.b.Helper()
	for deadline := time.Now().Add(3 * time.Minute); ; time.Sleep(100 * time.Millisecond) { // each look takes time itself
		done := 0
		states := a.parts().writer.States()
		for _, state := range states {
			if state.Filed && len(state.Targets) == 1 && state.Targets[0].SHA256 != "" && state.Targets[0].SHA256 == state.Applied.SHA256 {
				done++
			}
		}
		if done == len(s.issued) {
			return
		}
		if time.Now().After(deadline) {
			s.b.Fatalf("%d of %d are complete", done, len(s.issued))
		}
	}
}

// BenchmarkStart10000 is a node with 10,000 certificates: from its agent's start until
// a real HAProxy, which has an older response for each, serves the published
// ones; with an empty disk, and then with a full one, of which nothing is
// fetched.
func BenchmarkStart10000(b *testing.B) {
	s := newStarting(b, benchStart)
	data := filepath.Join(b.TempDir(), "data")
	age := 50 * time.Minute
	start := func(b *testing.B, empty bool) {
		for b.Loop() {
			b.StopTimer()
			if empty {
				age -= 10 * time.Second
				s.publish(age)
				s.clear(data)
			}
			a := s.agent(data)
			var wg sync.WaitGroup
			b.StartTimer()
			wg.Go(func() { // ends with Stop
				if err := a.Run(b.Context()); err != nil {
					b.Error(err)
				}
			})
			s.complete(a)
			b.StopTimer()
			a.Stop()
			wg.Wait()
			b.StartTimer()
		}
		b.ReportMetric(b.Elapsed().Seconds()/float64(b.N), "s/10000")
	}
	b.Run("empty", func(b *testing.B) { start(b, true) })
	s.check(b)
	b.Run("full", func(b *testing.B) { start(b, false) })
}

// clear empties data_dir and takes the files of responses away.
func (s *starting) clear(data string) {
	s.b.Helper()
	if err := os.RemoveAll(data); err != nil {
		s.b.Fatal(err)
	}
	for _, issued := range s.issued {
		_ = os.Remove(s.pem(issued) + ".ocsp") // absent at first
	}
}

// check asks HAProxy what it serves.
func (s *starting) check(b *testing.B) {
	b.Helper()
	c := haproxy.New(haproxy.Config{Socket: s.haproxy.Socket(), LockDir: filepath.Join(b.TempDir(), "lock")})
	for _, issued := range s.issued {
		id, err := staple.CertID(issued.Leaf, s.ca.Certificate())
		if err != nil {
			b.Fatal(err)
		}
		held, err := c.Held(b.Context(), id)
		file, _ := os.ReadFile(s.pem(issued) + ".ocsp")
		facts, _ := staple.Verify(file, issued.Leaf, s.ca.Certificate(), staple.Options{Now: time.Now()})
		if err != nil || facts == nil || !held.ThisUpdate.Equal(facts.ThisUpdate) {
			b.Fatalf("%s: HAProxy holds %+v, %v", issued.Name, held, err)
		}
	}
}

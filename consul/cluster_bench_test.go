package consul

import (
	"context"
	"crypto/x509"
	"fmt"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/consul-ocsp/consul-ocsp/consul/consultest"
	"github.com/consul-ocsp/consul-ocsp/plugin/record"
	"github.com/consul-ocsp/consul-ocsp/plugin/staple"
	"github.com/consul-ocsp/consul-ocsp/plugin/testca"
)

// benchCerts is how many certificates a benchmark's cluster has.
const benchCerts = 10_000

// manyConnections: the nodes of a benchmark share an address, real ones don't.
const manyConnections = `limits { http_max_conns_per_client = 5000 }`

// scene is a cluster for benchmarks: a real Consul, a CA, its certificates.
type scene struct {
	b        *testing.B
	server   *consultest.Server
	ca       *testca.CA
	delegate *testca.Issued
	ids      []string // sorted as issued
	issued   map[string]*testca.Issued
	base     time.Time
	version  int
}

func newScene(b *testing.B, n int) *scene {
	b.Helper()
	ca, err := testca.Init(filepath.Join(b.TempDir(), "ca"), testca.InitOptions{})
	if err != nil {
		b.Fatal(err)
	}
	s := &scene{b: b, server: consultest.Start(b, consultest.WithConfig(manyConnections)), ca: ca, issued: map[string]*testca.Issued{}, base: time.Now().Add(-30 * time.Minute).Truncate(time.Second)}
	names := make([]string, n)
	for i := range names {
		names[i] = fmt.Sprintf("n%d.example.test", i)
	}
	all, err := ca.IssueMany(names, testca.IssueOptions{})
	if err != nil {
		b.Fatal(err)
	}
	if s.delegate, err = ca.Delegate(testca.IssueOptions{}); err != nil {
		b.Fatal(err)
	}
	for _, issued := range all {
		id := staple.ID(issued.Leaf)
		s.ids = append(s.ids, id)
		s.issued[id] = issued
	}
	return s
}

// next are newer responses for ids, of 1.5 KB each, as a CA's with a delegate
// are: a second later than those of the last call.
func (s *scene) next(ids ...string) []record.Staple {
	s.b.Helper()
	s.version++
	this := s.base.Add(time.Duration(s.version) * time.Second)
	list := make([]record.Staple, len(ids))
	for i, id := range ids {
		der, err := s.ca.Respond(testca.Answer{
			Serial: s.issued[id].Serial, ThisUpdate: this, NextUpdate: this.Add(24 * time.Hour),
			Signer: s.delegate.Key, SignerCert: s.delegate.Leaf,
			Certificates: []*x509.Certificate{s.delegate.Leaf, s.ca.Certificate(), s.ca.Certificate()},
		})
		if err != nil {
			s.b.Fatal(err)
		}
		list[i] = record.Staple{ID: id, DER: der, Meta: record.Meta{
			SHA256: record.Checksum(der), Serial: s.issued[id].Serial.Text(16), Issuer: s.ca.Certificate().Subject.String(), Status: "good",
			ThisUpdate: this, NextUpdate: this.Add(24 * time.Hour), Until: this.Add(24 * time.Hour),
			Names: s.issued[id].Leaf.DNSNames, Responder: "http://ocsp.example.test/", Job: "edge", Name: s.issued[id].Name,
		}}
	}
	return list
}

func (s *scene) config() Config {
	return Config{Address: s.server.Address(), Logger: hclog.NewNullLogger()}
}

// lead runs f as the leader; all of Consul's own defaults count.
func (s *scene) lead(f func(ctx context.Context, t *Term)) {
	s.b.Helper()
	c, _ := countedClient(s.b, s.config())
	err := c.TryLead(s.b.Context(), record.Leader{Node: "leader"}, func(ctx context.Context, t *Term) error {
		f(ctx, t)
		return nil
	})
	if err != nil {
		s.b.Fatal(err)
	}
}

func (s *scene) publish(ctx context.Context, t *Term, list []record.Staple) {
	s.b.Helper()
	if err := t.Publish(ctx, list); err != nil {
		s.b.Fatal(err)
	}
}

// follower is a node that verifies what it follows.
type simulated struct {
	s       *scene
	c       *Client
	traffic *traffic
	ids     []string
	before  map[string]record.Meta // what it held at its start; shared

	mu     sync.Mutex
	held   map[string]record.Meta // what it verified since
	at     map[string]time.Time   // when the newest was verified
	failed error
}

// follow starts a node that has ids, and holds what before says.
func (s *scene) follow(ctx context.Context, wg *sync.WaitGroup, ids []string, before map[string]record.Meta) *simulated {
	c, t := countedClient(s.b, s.config())
	f := &simulated{s: s, c: c, traffic: t, ids: ids, before: before, held: map[string]record.Meta{}, at: map[string]time.Time{}}
	wg.Go(func() { // ends with ctx
		_ = c.Follow(ctx, func() []string { return f.ids }, f.meta, f.deliver, nil)
	})
	return f
}

func (f *simulated) meta(id string) (record.Meta, bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	m, ok := f.held[id]
	if !ok {
		m, ok = f.before[id]
	}
	return m, ok
}

func (f *simulated) deliver(_ context.Context, list []record.Staple) {
	for _, st := range list {
		_, err := staple.Verify(st.DER, f.s.issued[st.ID].Leaf, f.s.ca.Certificate(), staple.Options{Now: time.Now()})
		f.mu.Lock()
		if err != nil {
			f.failed = err
		}
		f.held[st.ID], f.at[st.ID] = st.Meta, time.Now()
		f.mu.Unlock()
	}
}

// has reports whether f has verified all of list, and when it had.
func (f *simulated) has(list []record.Staple) (bool, time.Time) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.failed != nil {
		f.s.b.Fatal(f.failed)
	}
	var last time.Time
	for _, st := range list {
		if f.held[st.ID].SHA256 != st.Meta.SHA256 {
			return false, last
		}
		if f.at[st.ID].After(last) {
			last = f.at[st.ID]
		}
	}
	return true, last
}

// until waits for f without a pause to speak of.
func (s *scene) until(what string, f func() bool) {
	s.b.Helper()
	deadline := time.Now().Add(2 * time.Minute)
	for look := time.Tick(2 * time.Millisecond); !f(); <-look {
		if time.Now().After(deadline) {
			s.b.Fatalf("%s: not within two minutes", what)
		}
	}
}

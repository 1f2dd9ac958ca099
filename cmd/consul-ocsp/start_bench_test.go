package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/consul-ocsp/consul-ocsp/consul"
	"github.com/consul-ocsp/consul-ocsp/consul/consultest"
	"github.com/consul-ocsp/consul-ocsp/plugin/handshake"
	"github.com/consul-ocsp/consul-ocsp/plugin/haproxy/haproxytest"
	"github.com/consul-ocsp/consul-ocsp/plugin/record"
	"github.com/consul-ocsp/consul-ocsp/plugin/staple"
	"github.com/consul-ocsp/consul-ocsp/plugin/testca"
)

// benchStart is how many certificates the starting node has.
const benchStart = 10_000

// settled is how long after a start the agent's memory is looked at.
const settled = 40 * time.Second

// starting is a node before its start: everything is published, a HAProxy
// serves all certificates and holds an older response for each.
type starting struct {
	b       *testing.B
	ca      *testca.CA
	server  *consultest.Server
	dir     string
	issued  []*testca.Issued
	ids     []string // hex of the CertIDs
	haproxy *haproxytest.Process
	aside   int
	more    string // what the job file has besides
}

func newStarting(b *testing.B, n int) *starting {
	b.Helper()
	dir := b.TempDir()
	ca, err := testca.Init(filepath.Join(dir, "ca"), testca.InitOptions{})
	if err != nil {
		b.Fatal(err)
	}
	s := &starting{b: b, ca: ca, server: consultest.Start(b), dir: dir}
	for _, folder := range []string{s.folder(), s.older()} {
		if err := os.Mkdir(folder, 0o700); err != nil {
			b.Fatal(err)
		}
	}
	names := make([]string, n)
	for i := range names {
		names[i] = fmt.Sprintf("n%d.example.test", i)
	}
	if s.issued, err = ca.IssueMany(names, testca.IssueOptions{}); err != nil {
		b.Fatal(err)
	}
	for i, der := range s.answers(time.Now().Add(-time.Hour)) {
		id, err := staple.CertID(s.issued[i].Leaf, ca.Certificate())
		if err != nil {
			b.Fatal(err)
		}
		s.ids = append(s.ids, fmt.Sprintf("%x", id))
		if err := os.Rename(s.issued[i].Path, filepath.Join(s.folder(), filepath.Base(s.issued[i].Path))); err != nil {
			b.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(s.older(), filepath.Base(s.issued[i].Path)+".ocsp"), der, 0o600); err != nil {
			b.Fatal(err)
		}
	}
	s.swap(s.older(), s.folder())
	s.haproxy = haproxytest.Start(b, haproxytest.Options{Certs: []string{s.folder()}})
	s.swap(s.folder(), s.older())
	return s
}

func (s *starting) folder() string { return filepath.Join(s.dir, "certs") }

// older has the files of the responses that HAProxy starts with.
func (s *starting) older() string { return filepath.Join(s.dir, "older") }

func (s *starting) data() string { return filepath.Join(s.dir, "data") }

// swap moves the responses of one folder to another. Removing thousands would
// make the file system slow for a while: it gives no name's place away at once.
func (s *starting) swap(from, to string) {
	s.b.Helper()
	for _, issued := range s.issued {
		name := filepath.Base(issued.Path) + ".ocsp"
		if err := os.Rename(filepath.Join(from, name), filepath.Join(to, name)); err != nil {
			s.b.Fatal(err)
		}
	}
}

// clear puts data_dir and the responses away.
func (s *starting) clear() {
	s.b.Helper()
	if s.aside++; s.aside == 1 {
		return // there are none yet
	}
	away := filepath.Join(s.dir, fmt.Sprint("away", s.aside))
	if err := os.Mkdir(away, 0o700); err != nil {
		s.b.Fatal(err)
	}
	s.swap(s.folder(), away)
	if err := os.Rename(s.data(), filepath.Join(away, "data")); err != nil {
		s.b.Fatal(err)
	}
}

// answers are responses of this time, in the order of the certificates.
func (s *starting) answers(this time.Time) [][]byte {
	s.b.Helper()
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

// publish publishes responses of this time for all.
func (s *starting) publish(this time.Time) {
	s.b.Helper()
	c, err := consul.New(consul.Config{Address: s.server.Address()})
	if err != nil {
		s.b.Fatal(err)
	}
	defer c.Close()
	var list []record.Staple
	for i, der := range s.answers(this) {
		facts, err := staple.Verify(der, s.issued[i].Leaf, s.ca.Certificate(), staple.Options{Now: time.Now()})
		if err != nil {
			s.b.Fatal(err)
		}
		list = append(list, record.Staple{ID: staple.ID(s.issued[i].Leaf), DER: der, Meta: record.Meta{
			SHA256: record.Checksum(der), Serial: facts.Serial(), Status: "good",
			ThisUpdate: facts.ThisUpdate, NextUpdate: facts.NextUpdate, Until: facts.Until,
		}})
	}
	err = c.TryLead(s.b.Context(), record.Leader{Node: "leader"}, func(ctx context.Context, t *consul.Term) error { return t.Publish(ctx, list) })
	if err != nil {
		s.b.Fatal(err)
	}
}

// job is the node's job file. With another data_dir the node is another one: the
// name of the one before is taken for some minutes.
func (s *starting) job() string {
	s.b.Helper()
	path := filepath.Join(s.dir, "job.hcl")
	text := fmt.Sprintf(`
roles     = ["deliver"]
node_name = "node%d"
log_level = "warn"
data_dir  = %q
lock_dir  = %q
consul {
  address = %q
}
%s
job "edge" {
  certificates {
    paths = [%q]
  }
  deliver "haproxy" {
    socket = %q
  }
}
`, s.aside, s.data(), filepath.Join(s.dir, "lock"), s.server.Address(), s.more, s.folder(), s.haproxy.Socket())
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		s.b.Fatal(err)
	}
	return path
}

// complete waits until HAProxy holds a response of this time for each of the
// first n certificates, and each is in its file in this folder.
func (s *starting) complete(log *logged, folder string, n int, this time.Time) {
	s.b.Helper()
	deadline := time.Now().Add(4 * time.Minute)
	look := time.Tick(20 * time.Millisecond)
	wait := func(what string) {
		if time.Now().After(deadline) {
			s.b.Fatalf("%s\n%s", what, log)
		}
		<-look
	}
	// One file a look: to list the folder would keep the node from making more.
	for i, issued := range s.issued[:n] {
		for path := filepath.Join(folder, filepath.Base(issued.Path)+".ocsp"); ; {
			_, err := os.Lstat(path)
			if err == nil {
				break
			}
			wait(fmt.Sprintf("file %d of %d: %v", i, n, err))
		}
	}
	text := "This Update: " + this.UTC().Format("Jan _2 15:04:05 2006 GMT")
	const some = 50
	for i := 0; i < n; {
		part := s.ids[i:min(n, i+some)]
		answer, err := s.haproxy.Command("show ssl ocsp-response " + strings.Join(part, ";show ssl ocsp-response "))
		if err == nil && strings.Count(answer, text) == len(part) {
			i += len(part)
			continue
		}
		wait(fmt.Sprintf("HAProxy holds %d of %d: %v", i, n, err))
	}
}

// stapled looks, for some of the first n certificates, at what a client gets.
func (s *starting) stapled(n int, this time.Time) {
	s.b.Helper()
	for i := 0; i < n; i += max(1, n/10) {
		r, err := handshake.Connect(s.b.Context(), handshake.Options{Address: s.haproxy.Address(), ServerName: s.issued[i].Name, Timeout: patience})
		if err != nil {
			s.b.Fatal(err)
		}
		facts, err := staple.Verify(r.Staple, s.issued[i].Leaf, s.ca.Certificate(), staple.Options{Now: time.Now()})
		if err != nil || !facts.ThisUpdate.Equal(this) {
			s.b.Fatalf("%s is stapled a response of %v, not of %v: %v", s.issued[i].Name, facts, this, err)
		}
	}
}

// BenchmarkStart10000 is a node with 10,000 certificates: from its agent's start
// until a real HAProxy, which held an older response for each, serves the
// published ones. First with an empty disk, which everything is fetched, verified
// and written for; then, after HAProxy was started again, with a full one. It
// prints what the agent has resident at the end, and the processors' time. Then
// the same with a history of each. And what users would run otherwise, with an
// empty disk: see startByKeyprefix and startByTemplate.
func BenchmarkStart10000(b *testing.B) {
	binary := built(b)
	s := newStarting(b, benchStart)
	this := time.Now().Truncate(time.Second).Add(-50 * time.Minute)
	start := func(b *testing.B, prepare func()) {
		var memory, peak float64
		var agent, proxy time.Duration
		for b.Loop() {
			b.StopTimer()
			prepare()
			before := processorTime(b, s.haproxy.PID())
			job := s.job()
			b.StartTimer()
			m := startMeasured(b, binary, "agent", "-config-file="+job)
			s.complete(m.log, s.folder(), len(s.issued), this)
			b.StopTimer()
			s.stapled(len(s.issued), this)
			agent += processorTime(b, m.cmd.Process.Pid)
			proxy += processorTime(b, s.haproxy.PID()) - before
			peak = max(peak, m.memory("VmHWM"))
			<-time.After(settled) // announced by then, and what the start took is given back
			memory = max(memory, m.memory("VmRSS"))
			m.kill()
			b.StartTimer()
		}
		s.report(b, len(s.issued))
		b.ReportMetric(agent.Seconds()/float64(b.N), "agent-cpu-s")
		b.ReportMetric(proxy.Seconds()/float64(b.N), "haproxy-cpu-s")
		b.ReportMetric(memory, "MB")
		b.ReportMetric(peak, "peak-MB")
	}
	empty := func(b *testing.B) {
		start(b, func() {
			this = this.Add(10 * time.Second)
			s.publish(this)
			s.clear()
		})
	}
	full := func(b *testing.B) {
		start(b, func() {
			now := filepath.Join(s.dir, "now")
			if err := os.MkdirAll(now, 0o700); err != nil {
				b.Fatal(err)
			}
			s.swap(s.folder(), now)
			s.swap(s.older(), s.folder())
			s.haproxy.Restart()
			s.swap(s.folder(), s.older())
			s.swap(now, s.folder())
		})
	}
	b.Run("empty", empty)
	b.Run("full", full)
	s.more = "fetch {\n  history = 10\n}"
	b.Run("history-empty", empty)
	b.Run("history-full", full)
	b.Run("keyprefix", func(b *testing.B) { s.startByKeyprefix(b, this.Add(10*time.Minute)) })
	b.Run("consul-template", func(b *testing.B) { s.startByTemplate(b, this.Add(20*time.Minute)) })
}

// report prints what a start with n certificates took.
func (s *starting) report(b *testing.B, n int) {
	each := b.Elapsed().Seconds() / float64(b.N)
	b.ReportMetric(each, "s")
	b.ReportMetric(1000*each/float64(n), "ms/certificate")
	b.ReportMetric(0, "ns/op")
}

package haproxy_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/consul-ocsp/consul-ocsp/plugin/haproxy"
	"github.com/consul-ocsp/consul-ocsp/plugin/haproxy/haproxytest"
	"github.com/consul-ocsp/consul-ocsp/plugin/testca"
	"github.com/consul-ocsp/consul-ocsp/plugin/testca/testcatest"
)

// What is pushed together comes to the same as one by one, whatever each needs,
// and none keeps another from its staple.
func TestPushAll(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	issue := func(name string) *testca.Issued { return w.issue(name, testca.IssueOptions{}) }
	set, held, newer, bare, twice := issue("set.test"), issue("held.test"), issue("newer.test"), issue("bare.test"), issue("twice.test")
	short, large, unserved := issue("short.test"), issue("large.test"), issue("unserved.test")
	copied := twice.Path + ".copy.pem"
	writeFile(t, copied, readFile(t, twice.Path))
	for _, c := range []*testca.Issued{set, held, newer, short, large} {
		writeFile(t, c.Path+".ocsp", w.good(c, 3*time.Hour, time.Hour).OCSP)
	}
	for _, master := range []bool{false, true} {
		p := haproxytest.Start(t, haproxytest.Options{MasterWorker: master,
			Certs: []string{set.Path, held.Path, newer.Path, bare.Path, twice.Path, copied, short.Path, large.Path}})
		socket := p.Socket()
		if master {
			p.Settle()
			socket = p.MasterSocket()
		}
		giant := w.good(large, 2*time.Hour, time.Hour)
		giant.OCSP = append(giant.OCSP, bytes.Repeat([]byte{0}, 12000)...)
		certs := []haproxy.Certificate{
			w.good(unserved, 2*time.Hour, time.Hour), w.good(set, 2*time.Hour, time.Hour), w.good(held, 3*time.Hour, time.Hour),
			w.good(newer, 4*time.Hour, time.Hour), w.good(bare, 2*time.Hour, time.Hour), giant,
			w.good(twice, 2*time.Hour, time.Hour), w.good(short, 2*time.Hour, time.Minute),
		}
		certs[2].OCSP = readFile(t, held.Path+".ocsp")
		got := client(t, socket).PushAll(t.Context(), certs)
		want := []string{string(haproxy.KindNotServed), string(haproxy.HowSet), string(haproxy.HowUnchanged), string(haproxy.HowNewer),
			string(haproxy.HowTransaction), string(haproxy.KindTooLarge), string(haproxy.HowTransaction), string(haproxy.KindShortLived)}
		for i, g := range got {
			if word := string(g.Outcome.How) + string(haproxy.KindOf(g.Err)); word != want[i] {
				t.Errorf("master %t, %s: %q, want %q: %v", master, certs[i].Path, word, want[i], g.Err)
			}
		}
		if got[1].Outcome.Pid != p.PID() {
			t.Errorf("worker %d, want %d", got[1].Outcome.Pid, p.PID())
		}
		for i, name := range map[int]string{1: "set.test", 2: "held.test", 4: "bare.test", 6: "twice.test"} {
			wantStaple(t, p, name, certs[i].OCSP)
		}
		for _, name := range []string{twice.Path, copied} {
			if d := command(t, p, "show ssl cert %s", name); !hasKey(d) {
				t.Errorf("%s has no response: %s", name, d)
			}
		}
		p.Stop()
	}
}

// Of two responses of one certificate, from files that two places have of it, the
// newer stays, whichever comes first.
func TestPushAllOfOneCertificate(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for name, order := range map[string][]int{"newer first": {0, 1}, "older first": {1, 0}} {
		issued := w.issue("one.test", testca.IssueOptions{})
		writeFile(t, issued.Path+".ocsp", w.good(issued, 3*time.Hour, time.Hour).OCSP)
		p := haproxytest.Start(t, haproxytest.Options{Certs: []string{issued.Path}})
		both := []haproxy.Certificate{w.good(issued, time.Hour, time.Hour), w.good(issued, 2*time.Hour, time.Hour)}
		both[1].Path = filepath.Join(t.TempDir(), "copy.pem")
		certs := []haproxy.Certificate{both[order[0]], both[order[1]]}
		for i, g := range client(t, p.Socket()).PushAll(t.Context(), certs) {
			if g.Err != nil || (g.Outcome.How == haproxy.HowNewer) != (i == 1 && order[i] == 1) {
				t.Errorf("%s: %s came to %q, %v", name, certs[i].Path, g.Outcome.How, g.Err)
			}
		}
		wantStaple(t, p, "one.test", both[0].OCSP)
		p.Stop()
	}
}

// A conversation that breaks off is gone on with, one that can't be told apart is
// had one command at a time, and a worker that changes under it has all again.
func TestConversations(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	var certs []haproxy.Certificate
	for i := range 5 {
		certs = append(certs, w.good(w.issue(fmt.Sprintf("c%d.test", i), testca.IssueOptions{}), time.Hour, time.Hour))
	}
	for name, fault := range map[string]struct {
		silent  bool
		cut     int32 // every so many answers the connection ends
		pids    int32 // the worker is another for so many looks
		refused bool
	}{
		"none": {}, "without prompts": {silent: true}, "cut": {cut: 4}, "another worker once": {pids: 2}, "a new worker all the time": {pids: 1000, refused: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			holds := map[string]string{} // guarded by HAProxy's lock: one connection at a time
			var answers, looks atomic.Int32
			f := newFake(t, func(line string) (string, bool) {
				words := strings.Fields(line)
				goesOn := fault.cut == 0 || answers.Add(1)%fault.cut != 0
				switch {
				case line == "show info":
					return fmt.Sprintf("Version: 2.6.12\nPid: %d\nUptime_sec: 5\n", min(looks.Add(1), fault.pids)+1), true
				case line == "show ssl cert":
					return "# filename\n", true
				case strings.HasPrefix(line, "show ssl ocsp-response "):
					return holds[words[3]] + "\n", goesOn
				case strings.HasPrefix(line, "set ssl ocsp-response "):
					for _, c := range certs {
						if words[3] == encoded(c) {
							holds[fmt.Sprintf("%x", c.CertID)] = fmt.Sprintf("OCSP Response Data:\n    Cert Status: good\n    This Update: %s\n    Next Update: %s\n",
								c.ThisUpdate.UTC().Format("Jan _2 15:04:05 2006 GMT"), c.NextUpdate.UTC().Format("Jan _2 15:04:05 2006 GMT"))
						}
					}
					return "OCSP Response updated!\n", goesOn
				}
				return "Unknown command\n", true
			})
			f.silent = fault.silent
			for i, g := range client(t, f.socket).PushAll(t.Context(), certs) {
				if fault.refused {
					wantKind(t, g.Err, haproxy.KindRestarting)
				} else if g.Err != nil || g.Outcome.How != haproxy.HowSet && fault.pids == 0 {
					t.Errorf("%d: %+v, %v", i, g.Outcome, g.Err)
				}
			}
		})
	}
}

// BenchmarkPush is what 1,000 certificates cost that are pushed and read back:
// together, one by one, and beside it a script's way, one connection each for a
// "set ssl ocsp-response" of which nothing is read back but its answer.
func BenchmarkPush(b *testing.B) {
	const n = 1000
	w := newWorld(b)
	issued := testcatest.IssueMany(b, w.ca, testca.IssueOptions{}, n, "c%d.test")
	folder, age := b.TempDir(), 10*time.Hour
	next := func() []haproxy.Certificate {
		age -= time.Second
		certs := make([]haproxy.Certificate, n)
		for i, c := range issued {
			certs[i] = w.good(c, age, time.Hour)
		}
		return certs
	}
	for i, c := range next() {
		path := filepath.Join(folder, filepath.Base(issued[i].Path))
		if err := os.Rename(issued[i].Path, path); err != nil {
			b.Fatal(err)
		}
		writeFile(b, path+".ocsp", c.OCSP)
	}
	p := haproxytest.Start(b, haproxytest.Options{Certs: []string{folder}})
	ways := []struct {
		name string
		push func(c *haproxy.Client, certs []haproxy.Certificate) error
	}{
		{"together", func(c *haproxy.Client, certs []haproxy.Certificate) error {
			for len(certs) > 0 {
				some := certs[:min(len(certs), haproxy.PushMost)]
				for _, done := range c.PushAll(b.Context(), some) {
					if done.Err != nil || done.Outcome.How != haproxy.HowSet {
						return fmt.Errorf("%q, %w", done.Outcome.How, done.Err)
					}
				}
				certs = certs[len(some):]
			}
			return nil
		}},
		{"singly", func(c *haproxy.Client, certs []haproxy.Certificate) error {
			for _, cert := range certs {
				if _, err := c.Install(b.Context(), haproxy.MethodPush, cert); err != nil {
					return err
				}
			}
			return nil
		}},
		{"script", func(_ *haproxy.Client, certs []haproxy.Certificate) error {
			for _, cert := range certs {
				if answer, err := p.Command("set ssl ocsp-response " + encoded(cert)); err != nil || !strings.Contains(answer, "updated!") {
					return fmt.Errorf("%q, %w", answer, err)
				}
			}
			return nil
		}},
	}
	for _, way := range ways {
		b.Run(way.name, func(b *testing.B) {
			for b.Loop() {
				b.StopTimer()
				certs, c := next(), client(b, p.Socket()) // which knows no names yet
				b.StartTimer()
				if err := way.push(c, certs); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(b.Elapsed().Seconds()/float64(b.N)*1000/n, "s/1000")
		})
	}
}

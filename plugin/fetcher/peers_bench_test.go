package fetcher

import (
	"context"
	"crypto/sha1"
	"encoding/pem"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/consul-ocsp/consul-ocsp/consul/consultest"
	"github.com/consul-ocsp/consul-ocsp/plugin/haproxy"
	"github.com/consul-ocsp/consul-ocsp/plugin/haproxy/haproxytest"
	"github.com/consul-ocsp/consul-ocsp/plugin/record"
	"github.com/consul-ocsp/consul-ocsp/plugin/staple"
	"github.com/consul-ocsp/consul-ocsp/plugin/store"
)

// few is how many certificates the slow peers are given in a round. They take one after the other, so that the time for
// one stays the same.
const few = 50

// BenchmarkSlowResponder has 1,000 certificates and a responder that takes 50 ms for each answer. Times are for one
// certificate: ours and the polite defaults with all 1,000; of the same certificates, 50 for the peers: HAProxy 3.0's own
// ocsp-update, and the pipeline of openssl ocsp, base64 and socat into an HAProxy 3.0. HAProxy's updater keeps what it
// fetched in its memory; beside it we fetch, verify and store. The pipeline pushes; beside it we push, too.
func BenchmarkSlowResponder(b *testing.B) {
	b.Setenv("HAPROXY_BIN", consultest.Binary(b, "haproxy-3.0"))
	f := newFleet(b, 1000, 50*time.Millisecond)
	certificates := f.folder(1000)
	process := haproxytest.Start(b, haproxytest.Options{Certs: []string{certificates}})
	var plain, pushed, polite, updater, pipeline []float64
	for range rounds {
		plain = append(plain, f.each(1000, func() { f.pass(b.Context(), b.TempDir()) }))
		pushed = append(pushed, f.each(1000, func() { f.push(b.Context(), process) }))
		updater = append(updater, f.updater(few))
		process.Restart() // it holds none again
		pipeline = append(pipeline, f.each(few, func() { f.pipeline(process.Socket(), few) }))
		process.Restart()
	}
	slow := f.politely()
	polite = append(polite, f.each(1000, func() { slow.pass(b.Context(), b.TempDir()) }))
	b.ReportMetric(1000*median(plain), "us/certificate")
	b.ReportMetric(1000*median(pushed), "us/certificate-pushed")
	b.ReportMetric(1000*median(polite), "us/certificate-at-defaults")
	b.ReportMetric(1000*median(updater), "us/certificate-haproxy-3.0")
	b.ReportMetric(1000*median(pipeline), "us/certificate-openssl+socat")
	b.ReportMetric(median(updater)/median(plain), "times-haproxy-3.0")
	b.ReportMetric(median(pipeline)/median(pushed), "times-openssl+socat")
	b.ReportMetric(0, "ns/op")
}

// each is how many milliseconds one of n takes.
func (f *fleet) each(n int, do func()) float64 {
	began := time.Now()
	do()
	return float64(time.Since(began).Microseconds()) / 1000 / float64(n)
}

// politely is the fleet with the settings of a job file that names none.
func (f *fleet) politely() *fleet {
	polite := *f
	polite.targets = nil
	for _, t := range f.targets {
		t.Settings = Settings{}
		polite.targets = append(polite.targets, t)
	}
	return &polite
}

// folder has the files of the first n certificates, each with an empty response beside it, which has HAProxy accept one
// later.
func (f *fleet) folder(n int) string {
	dir := f.b.TempDir()
	for _, c := range f.issued[:n] {
		text, err := os.ReadFile(c.Path)
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, c.Name+".pem"), text, 0o600)
		}
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, c.Name+".pem.ocsp"), nil, 0o600)
		}
		if err != nil {
			f.b.Fatal(err)
		}
	}
	return dir
}

// push fetches, verifies, stores and pushes all.
func (f *fleet) push(ctx context.Context, process *haproxytest.Process) {
	s, err := store.Open(f.b.TempDir())
	if err != nil {
		f.b.Fatal(err)
	}
	p := pusher{Store: s, fleet: f, haproxy: haproxy.New(haproxy.Config{Socket: process.Socket(), LockDir: f.b.TempDir()})}
	f.passTo(ctx, s, p, f.targets)
}

// pusher publishes straight into one HAProxy.
type pusher struct {
	*store.Store
	fleet   *fleet
	haproxy *haproxy.Client
}

func (p pusher) Publish(ctx context.Context, list []record.Staple) error {
	leaves := map[string]Target{}
	for _, t := range p.fleet.targets {
		leaves[t.ID] = t
	}
	for _, st := range list {
		t := leaves[st.ID]
		id, err := staple.CertID(t.Leaf, t.Issuer)
		if err != nil {
			return err
		}
		_, err = p.haproxy.Install(ctx, haproxy.MethodPush, haproxy.Certificate{
			Path: t.Name, FingerprintSHA1: fmt.Sprintf("%x", sha1.Sum(t.Leaf.Raw)), CertID: id, OCSP: st.DER,
			ThisUpdate: st.Meta.ThisUpdate, NextUpdate: st.Meta.NextUpdate,
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// updater is how many milliseconds HAProxy's own updater takes for one of n certificates: from the first request that it
// sends to the last answer.
func (f *fleet) updater(n int) float64 {
	dir := f.folder(n)
	files, _ := filepath.Glob(filepath.Join(dir, "*.ocsp"))
	for _, name := range files {
		os.Remove(name) // what HAProxy has it does not fetch at once
	}
	f.asked.reset()
	process := haproxytest.Start(f.b, haproxytest.Options{Certs: []string{dir}, ExtraGlobal: "\tocsp-update.mode on\n"})
	defer process.Stop()
	for end := time.Now().Add(time.Minute); ; {
		took, done := f.asked.took(n)
		if done {
			return float64(took.Microseconds()) / 1000 / float64(n)
		}
		if time.Now().After(end) {
			f.b.Fatalf("haproxy has not fetched all in a minute:\n%s", process.Log())
		}
		<-time.After(10 * time.Millisecond)
	}
}

// script is the pipeline, as many a cron job has it.
const script = `set -eu
while read -r certificate; do
	openssl ocsp -no_nonce -issuer "$CA" -CAfile "$CA" -cert "$certificate" -url "$URL" -respout "$OUT" >/dev/null 2>&1
	echo "set ssl ocsp-response $(base64 -w 0 "$OUT")" | socat stdio "unix-connect:$SOCKET"
done`

func (f *fleet) pipeline(socket string, n int) {
	var list strings.Builder
	dir := f.b.TempDir()
	for i, c := range f.issued[:n] {
		path := filepath.Join(dir, fmt.Sprint(i))
		if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Leaf.Raw}), 0o600); err != nil {
			f.b.Fatal(err)
		}
		fmt.Fprintln(&list, path)
	}
	cmd := exec.Command("sh", "-c", script)
	cmd.Env = append(os.Environ(), "CA="+f.caFile, "URL="+f.issued[0].Leaf.OCSPServer[0], "OUT="+filepath.Join(dir, "out"), "SOCKET="+socket)
	cmd.Stdin = strings.NewReader(list.String())
	out, err := cmd.CombinedOutput()
	if updated := strings.Count(string(out), "OCSP Response updated!"); err != nil || updated != n {
		f.b.Fatalf("%d of %d were updated: %v: %.500s", updated, n, err, out)
	}
}

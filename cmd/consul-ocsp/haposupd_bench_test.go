package main

import (
	"net/http/httptest"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/consul-ocsp/consul-ocsp/plugin/haproxy/haproxytest"
	"github.com/consul-ocsp/consul-ocsp/plugin/testca"
)

// BenchmarkOneUpdate is what cron costs for one certificate: fetched, written and
// pushed into HAProxy, by hapos-upd and by the openssl, base64 and socat that do
// the same without verifying or reading back.
func BenchmarkOneUpdate(b *testing.B) {
	dir := b.TempDir()
	ca, err := testca.Init(filepath.Join(dir, "ca"), testca.InitOptions{})
	if err != nil {
		b.Fatal(err)
	}
	server := httptest.NewServer(ca.Responder(testca.ResponderOptions{}))
	defer server.Close()
	issued, err := ca.Issue([]string{"www.example.test"}, testca.IssueOptions{Responders: []string{server.URL}})
	if err != nil {
		b.Fatal(err)
	}
	p := haproxytest.Start(b, haproxytest.Options{Certs: []string{issued.Path}})
	lock := filepath.Join(dir, "lock")
	const pipeline = `openssl ocsp -noverify -no_nonce -issuer "$1" -cert "$2" -url "$3" -respout "$2.ocsp" >"$5" 2>&1
echo "set ssl ocsp-response $(base64 -w 0 "$2.ocsp")" | socat stdio "unix-connect:$4"`
	for _, way := range []struct {
		name string
		line []string
	}{
		{"hapos-upd", []string{haposName, "-c", issued.Path, "-s", p.Socket(), "--lock-dir", lock}},
		{"openssl-base64-socat", []string{"sh", "-euc", pipeline, "sh", filepath.Join(ca.Dir(), "ca.pem"), issued.Path, server.URL, p.Socket(), filepath.Join(dir, "out")}},
	} {
		b.Run(way.name, func(b *testing.B) {
			for b.Loop() {
				if out, err := exec.Command(way.line[0], way.line[1:]...).CombinedOutput(); err != nil {
					b.Fatalf("%v: %s", err, out)
				}
			}
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "updates/s")
		})
	}
}

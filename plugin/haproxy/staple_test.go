package haproxy_test

import (
	"bytes"
	"crypto/tls"
	"testing"
	"time"

	"github.com/consul-ocsp/consul-ocsp/plugin/haproxy/haproxytest"
)

// staple is what a TLS client gets for a name; nil if nothing is stapled.
func staple(t *testing.T, p *haproxytest.Process, name string) []byte {
	t.Helper()
	conn, err := tls.Dial("tcp", p.Address(), &tls.Config{ServerName: name, InsecureSkipVerify: true})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	return conn.OCSPResponse()
}

func wantStaple(t *testing.T, p *haproxytest.Process, name string, want []byte) {
	t.Helper()
	if got := staple(t, p, name); !bytes.Equal(got, want) {
		t.Fatalf("%s: stapled %d bytes, want %d others", name, len(got), len(want))
	}
}

// reloadedStaple waits for a staple after a reload: the worker that goes may
// take a connection for a moment more.
func reloadedStaple(t *testing.T, p *haproxytest.Process, name string, want []byte) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); {
		if bytes.Equal(staple(t, p, name), want) {
			return
		}
	}
	wantStaple(t, p, name, want)
}

package handshake

import (
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/crypto/ocsp"

	"github.com/consul-ocsp/consul-ocsp/plugin/haproxy/haproxytest"
	"github.com/consul-ocsp/consul-ocsp/plugin/staple"
	"github.com/consul-ocsp/consul-ocsp/plugin/testca"
	"github.com/consul-ocsp/consul-ocsp/plugin/testca/testcatest"
)

// A real HAProxy with a certificate of each key type for one name: each has a
// staple of its own, and a certificate without a response has none.
func TestHAProxy(t *testing.T) {
	ca := testcatest.Init(t, testca.InitOptions{})
	dir := t.TempDir()
	put := func(name, file string, key testca.KeyType, answer func(*testca.Issued) []byte) *testca.Issued {
		issued := testcatest.Issue(t, ca, testca.IssueOptions{Key: key, File: filepath.Join(dir, file)}, name)
		if answer != nil {
			if err := os.WriteFile(issued.Path+".ocsp", answer(issued), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		return issued
	}
	ecdsa := put("www.example.test", "www.pem.ecdsa", testca.ECDSA, respond(t, ca, ocsp.Good))
	rsa := put("www.example.test", "www.pem.rsa", testca.RSA, respond(t, ca, ocsp.Revoked))
	bare := put("bare.example.test", "bare.pem", testca.ECDSA, nil)
	p := haproxytest.Start(t, haproxytest.Options{Certs: []string{filepath.Join(dir, "www.pem"), bare.Path}})

	for _, c := range []struct {
		name, keyType string
		leaf          *testca.Issued
		status        staple.Status
	}{
		{"www.example.test", "", ecdsa, staple.Good},
		{"www.example.test", "ecdsa", ecdsa, staple.Good},
		{"www.example.test", "rsa", rsa, staple.Revoked},
		{"bare.example.test", "", bare, ""},
	} {
		r, err := Connect(t.Context(), Options{Address: p.Address(), ServerName: c.name, KeyType: c.keyType})
		if err != nil {
			t.Fatal(err)
		}
		if !r.Leaf.Equal(c.leaf.Leaf) || r.Refusal != nil {
			t.Errorf("%s %q: another certificate, or refused: %v", c.name, c.keyType, r.Refusal)
		}
		if c.status == "" && (len(r.Staple) != 0 || r.Facts != nil) {
			t.Errorf("%s: stapled %d bytes", c.name, len(r.Staple))
		}
		if c.status != "" && (r.Facts == nil || r.Facts.Status != c.status) {
			t.Errorf("%s %q: %+v, want %s", c.name, c.keyType, r.Facts, c.status)
		}
	}
}

package haproxy_test

import (
	"crypto/sha1"
	"encoding/hex"
	"path/filepath"
	"testing"

	"github.com/consul-ocsp/consul-ocsp/consul/consultest"
	"github.com/consul-ocsp/consul-ocsp/plugin/haproxy"
	"github.com/consul-ocsp/consul-ocsp/plugin/haproxy/haproxytest"
	"github.com/consul-ocsp/consul-ocsp/plugin/testca"
)

func sha1Of(c *testca.Issued) string {
	sum := sha1.Sum(c.Leaf.Raw)
	return hex.EncodeToString(sum[:])
}

func TestServedIsWhatTheProcessLoaded(t *testing.T) {
	w := newWorld(t)
	one, two := w.issue("one.example.com", testca.IssueOptions{}), w.issue("two.example.com", testca.IssueOptions{Responders: []string{"http://127.0.0.1:9/"}})
	p := haproxytest.Start(t, haproxytest.Options{Certs: []string{one.Path, two.Path}})
	list, err := client(t, p.Socket()).Served(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{one.Path: sha1Of(one), two.Path: sha1Of(two)}
	for _, s := range list {
		if want[s.Name] != s.SHA1 || s.File != s.Name || s.Updates {
			t.Errorf("%+v", s)
		}
		delete(want, s.Name)
	}
	if len(want) > 0 {
		t.Errorf("not listed: %v", want)
	}
}

func TestServedKnowsAliasesAndOwnUpdates(t *testing.T) {
	w := newWorld(t)
	one, two := w.issue("one.example.com", testca.IssueOptions{}), w.issue("two.example.com", testca.IssueOptions{Responders: []string{"http://127.0.0.1:9/"}})
	p := haproxytest.Start(t, haproxytest.Options{
		Binary: consultest.Binary(t, "haproxy-3.0"),
		Certs:  []string{one.Path},
		// It may ask the responder, which nobody is.
		ExtraGlobal: "crt-store web\n\tload crt " + two.Path + " alias named ocsp-update on\n",
		ExtraBind:   "crt @web/named",
	})
	list, err := client(t, p.Socket()).Served(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]haproxy.Served{}
	for _, s := range list {
		found[s.Name] = s
	}
	named := found["@web/named"]
	if named.SHA1 != sha1Of(two) || !named.Updates || named.File != "" && filepath.Base(named.File) != filepath.Base(two.Path) {
		t.Errorf("%+v in %+v", named, list)
	}
	if s := found[one.Path]; s.Updates || s.SHA1 != sha1Of(one) {
		t.Errorf("%+v", s)
	}
}

package fetcher

import (
	"crypto/x509"
	"strings"
	"testing"
	"time"

	"github.com/consul-ocsp/consul-ocsp/plugin/record"
	"github.com/consul-ocsp/consul-ocsp/plugin/staple"
	"github.com/consul-ocsp/consul-ocsp/plugin/testca"
	"github.com/consul-ocsp/consul-ocsp/plugin/testca/testcatest"
)

func TestAnnouncedCertificates(t *testing.T) {
	s := newScene(t)
	a := s.target("a")
	ended := s.issue("ended", testca.IssueOptions{NotAfter: time.Now().Add(-time.Hour)})
	other := testcatest.Init(t, testca.InitOptions{Name: "another CA"})
	twin := testcatest.Init(t, testca.InitOptions{})
	below := testcatest.Init(t, testca.InitOptions{Name: "CA below", Parent: s.ca})
	deep := testcatest.Issue(t, below, testca.IssueOptions{}, "deep.example.com")
	root, mid := s.ca.Certificate(), below.Certificate()
	for _, c := range []struct {
		name         string
		id           string
		leaf, issuer []byte
		trusted      []*x509.Certificate
		want         string // in the error; "": accepted
	}{
		{"lawful", a.ID, a.Leaf.Raw, root.Raw, nil, ""},
		{"its issuer is trusted", a.ID, a.Leaf.Raw, root.Raw, []*x509.Certificate{other.Certificate(), root}, ""},
		{"a CA above its issuer is trusted", idOf(deep), deep.Leaf.Raw, mid.Raw, []*x509.Certificate{root}, ""},
		{"an intermediate is trusted", idOf(deep), deep.Leaf.Raw, mid.Raw, []*x509.Certificate{mid}, ""},
		{"another CA is trusted", a.ID, a.Leaf.Raw, root.Raw, []*x509.Certificate{other.Certificate()}, "trusted_issuers"},
		{"only a sibling is trusted", a.ID, a.Leaf.Raw, root.Raw, []*x509.Certificate{mid}, "trusted_issuers"},
		{"a CA of the same name is trusted", a.ID, a.Leaf.Raw, root.Raw, []*x509.Certificate{twin.Certificate()}, "trusted_issuers"},
		{"another id", ended.ID, a.Leaf.Raw, root.Raw, nil, "its leaf has the id"},
		{"no id", "../../x", a.Leaf.Raw, root.Raw, nil, "not an id"},
		{"another issuer", a.ID, a.Leaf.Raw, other.Certificate().Raw, nil, "issued by"},
		{"an issuer of the same name", a.ID, a.Leaf.Raw, twin.Certificate().Raw, nil, "did not sign"},
		{"ended", ended.ID, ended.Leaf.Raw, root.Raw, nil, "ended"},
		{"no issuer", a.ID, a.Leaf.Raw, nil, nil, "issuer of 0 bytes"},
		{"no leaf", a.ID, nil, root.Raw, nil, "leaf of 0 bytes"},
		{"too large", a.ID, a.Leaf.Raw, make([]byte, maxAnnouncedDER+1), nil, "bytes"},
		{"no certificate", a.ID, []byte("-----BEGIN CERTIFICATE-----"), root.Raw, nil, "leaf"},
	} {
		pair, err := announced(c.id, record.Certificate{Leaf: c.leaf, Issuer: c.issuer}, c.trusted, time.Now())
		switch {
		case c.want == "" && (err != nil || staple.ID(pair.Leaf()) != c.id || string(pair.Issuer().Raw) != string(c.issuer)):
			t.Errorf("%s: %v", c.name, err)
		case c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)):
			t.Errorf("%s: error %v, want %q in it", c.name, err, c.want)
		}
	}
}

func FuzzAnnounced(f *testing.F) {
	ca := testcatest.Init(f, testca.InitOptions{})
	c := testcatest.Issue(f, ca, testca.IssueOptions{}, "a.example.com")
	f.Add(c.Leaf.Raw, ca.Certificate().Raw)
	f.Add([]byte{}, []byte{0x30})
	f.Fuzz(func(t *testing.T, leaf, issuer []byte) {
		record := record.Certificate{Leaf: leaf, Issuer: issuer}
		pair, err := announced(record.ID(), record, []*x509.Certificate{ca.Certificate()}, time.Now())
		if err == nil && (pair == nil || pair.Leaf().CheckSignatureFrom(ca.Certificate()) != nil) {
			t.Error("accepted what the trusted issuer did not sign")
		}
	})
}

func idOf(c *testca.Issued) string { return record.Certificate{Leaf: c.Leaf.Raw}.ID() }

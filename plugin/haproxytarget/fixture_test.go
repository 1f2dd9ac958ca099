package haproxytarget

import (
	"os"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	"golang.org/x/crypto/ocsp"

	"github.com/consul-ocsp/consul-ocsp/plugin/haproxy"
	"github.com/consul-ocsp/consul-ocsp/plugin/staple"
	"github.com/consul-ocsp/consul-ocsp/plugin/testca"
	"github.com/consul-ocsp/consul-ocsp/plugin/testca/testcatest"
	"github.com/consul-ocsp/consul-ocsp/plugin/writer"
)

// rehearsal is a certificate with its CA, for staples of any age.
type rehearsal struct {
	ca     *testca.CA
	issued *testca.Issued
}

func rehearse(t *testing.T) rehearsal {
	t.Helper()
	ca := testcatest.Init(t, testca.InitOptions{})
	return rehearsal{ca, testcatest.Issue(t, ca, testca.IssueOptions{}, "www.example.test")}
}

// staple is a good response of this age, and in the file where there is one.
func (r rehearsal) staple(t *testing.T, age time.Duration, file string) writer.Staple {
	t.Helper()
	return r.answer(t, ocsp.Good, age, file)
}

func (r rehearsal) answer(t *testing.T, status int, age time.Duration, file string) writer.Staple {
	t.Helper()
	now := time.Now().Truncate(time.Second)
	der := testcatest.Respond(t, r.ca, testca.Answer{Status: status, Serial: r.issued.Serial, ThisUpdate: now.Add(-age), NextUpdate: now.Add(time.Hour)})
	facts, err := staple.Verify(der, r.issued.Leaf, r.ca.Certificate(), staple.Options{Now: now})
	if err != nil {
		t.Fatal(err)
	}
	if file != "" {
		if err := os.WriteFile(file, der, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return writer.Staple{File: file, Facts: facts, Certificate: writer.Certificate{
		Path: r.issued.Path, Leaf: r.issued.Leaf, Issuer: r.ca.Certificate(), IssuerInPEM: true,
	}}
}

// target makes one that gathers nothing; change adjusts what it is made of.
func target(t *testing.T, socket string, method haproxy.Method, change ...func(*Config)) *Target {
	t.Helper()
	c := Config{
		Name: "haproxy", Job: "edge", Socket: socket, LockDir: t.TempDir(), Method: method,
		MinInterval: time.Hour, MaxConcurrent: 1, Turns: func() *Turns { return nil },
		StateDir: t.TempDir(), Logger: hclog.NewNullLogger(),
	}
	for _, f := range change {
		f(&c)
	}
	to := New(c)
	to.reload.gather = -1
	return to
}

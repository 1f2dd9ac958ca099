package pull_test

import (
	"context"
	"testing"
	"time"

	"github.com/consul-ocsp/consul-ocsp/plugin/pull"
	"github.com/consul-ocsp/consul-ocsp/plugin/record"
	"github.com/consul-ocsp/consul-ocsp/plugin/staple"
	"github.com/consul-ocsp/consul-ocsp/plugin/testca"
	"github.com/consul-ocsp/consul-ocsp/plugin/testca/testcatest"
)

// world is a CA, and somebody who answers for its certificates.
type world struct {
	t        testing.TB
	ca       *testca.CA
	now      time.Time
	answerer *pull.Answerer
	list     []pull.Certificate
}

func newWorld(t testing.TB) *world {
	t.Helper()
	ca := testcatest.Init(t, testca.InitOptions{})
	w := &world{t: t, ca: ca, now: time.Now().UTC().Truncate(time.Second)}
	w.answerer = pull.New(pull.Config{Now: func() time.Time { return w.now }})
	return w
}

// issue makes a certificate that is answered for.
func (w *world) issue(name string) *testca.Issued {
	w.t.Helper()
	cert := testcatest.Issue(w.t, w.ca, testca.IssueOptions{}, name)
	w.list = append(w.list, pull.Certificate{ID: staple.ID(cert.Leaf), Pair: staple.NewPair(cert.Leaf, w.ca.Certificate())})
	w.answerer.Set(w.list)
	return cert
}

// stored is a response that began age ago and ends in life, as a store has it.
func (w *world) stored(cert *testca.Issued, a testca.Answer, age, life time.Duration) record.Staple {
	w.t.Helper()
	a.Serial, a.ThisUpdate, a.NextUpdate = cert.Serial, w.now.Add(-age), w.now.Add(life)
	der := testcatest.Respond(w.t, w.ca, a)
	return record.Staple{ID: staple.ID(cert.Leaf), DER: der, Meta: record.Meta{
		Format: record.Format, Status: "good", ThisUpdate: a.ThisUpdate, NextUpdate: a.NextUpdate, Until: a.NextUpdate,
	}}
}

func (w *world) deliver(st record.Staple) {
	w.t.Helper()
	w.answerer.Deliver(context.Background(), []record.Staple{st})
}

// request is an OCSP request for a certificate.
func (w *world) request(cert *testca.Issued) []byte {
	w.t.Helper()
	der, err := staple.NewRequest(cert.Leaf, w.ca.Certificate())
	if err != nil {
		w.t.Fatal(err)
	}
	return der
}

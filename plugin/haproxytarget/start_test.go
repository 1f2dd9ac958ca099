package haproxytarget

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	"golang.org/x/crypto/ocsp"

	"github.com/consul-ocsp/consul-ocsp/plugin/haproxy"
	"github.com/consul-ocsp/consul-ocsp/plugin/haproxy/haproxytest"
	"github.com/consul-ocsp/consul-ocsp/plugin/inventory"
	"github.com/consul-ocsp/consul-ocsp/plugin/record"
	"github.com/consul-ocsp/consul-ocsp/plugin/staple"
	"github.com/consul-ocsp/consul-ocsp/plugin/store"
	"github.com/consul-ocsp/consul-ocsp/plugin/testca"
	"github.com/consul-ocsp/consul-ocsp/plugin/testca/testcatest"
	"github.com/consul-ocsp/consul-ocsp/plugin/writer"
)

// delivered has one pass made over the certificate; config is HAProxy's.
func (r rehearsal) delivered(t *testing.T, config string, placeholder bool, targets ...writer.Target) writer.Result {
	t.Helper()
	found, problems := inventory.Read([]inventory.Source{{Job: "edge", HAProxyConfigs: []string{config}}})
	if len(found) != 1 || len(problems) > 0 {
		t.Fatalf("%+v, %v", found, problems)
	}
	data, err := store.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	c := found[0]
	w := writer.New(writer.Config{Store: data, Logger: hclog.NewNullLogger()})
	w.Set([]writer.Certificate{{
		ID: c.ID, Job: c.Job, Name: c.Name, Path: c.Path, OCSPFile: c.OCSPFile, Leaf: c.Leaf, Issuer: c.Issuer,
		IssuerInPEM: c.IssuerInPEM, IssuerKnown: c.IssuerKnown(), ZeroWarning: c.ZeroWarning,
		Placeholder: placeholder, WriteFile: true, Targets: targets,
	}})
	return w.Pass(t.Context(), nil)[0]
}

// A file that has ended never keeps HAProxy from starting, and nor does a
// placeholder: with zero-warning they go, or don't come.
func TestHAProxyStartsBesideWhatHasEnded(t *testing.T) {
	for _, zero := range []string{"", "\tzero-warning\n"} {
		r := rehearse(t)
		file := r.issued.Path + ".ocsp"
		// Without this HAProxy has another warning to stop at.
		global := zero + "\tssl-default-bind-options ssl-min-ver TLSv1.2\n\ttune.ssl.default-dh-param 2048\n"
		h := haproxytest.Start(t, haproxytest.Options{Certs: []string{r.issued.Path}, ExtraGlobal: global})
		to := target(t, h.Socket(), "auto")
		if got := to.Strict(t.Context()); got != (zero != "") {
			t.Errorf("zero-warning is %q, and strict %v", zero, got)
		}
		h.Stop()
		now := time.Now()
		ended := testcatest.Respond(t, r.ca, testca.Answer{Status: ocsp.Good, Serial: r.issued.Serial, ThisUpdate: now.Add(-3 * time.Hour), NextUpdate: now.Add(-2 * time.Hour)})
		if err := os.WriteFile(file, ended, 0o644); err != nil {
			t.Fatal(err)
		}
		starts := func() error { return haproxy.CheckConfig(t.Context(), haproxytest.Binary(t), []string{h.ConfigFile()}) }
		if err := starts(); (err != nil) != (zero != "") {
			t.Fatalf("zero-warning is %q, and beside what ended: %v", zero, err)
		}
		r.delivered(t, h.ConfigFile(), false)
		if err := starts(); err != nil {
			t.Errorf("zero-warning is %q: %v", zero, err)
		}
		if err := os.Remove(file); err != nil && !os.IsNotExist(err) {
			t.Fatal(err)
		}
		result := r.delivered(t, h.ConfigFile(), true)
		if refused := result.Reason == writer.ReasonPlaceholder; refused != (zero != "") {
			t.Errorf("zero-warning is %q, and a placeholder: %+v", zero, result)
		}
		h.Restart()
		want := haproxy.HowSet // the placeholder has registered the certificate
		if zero != "" {
			want = haproxy.HowTransaction
		}
		wantTold(t, to, r.staple(t, time.Minute, ""), string(want))
	}
}

// A response is never beside a certificate whose issuer a starting HAProxy does
// not know: up to 3.4 it would not start. Nor does a file that a killed agent left
// half-written in a folder of certificates keep it from starting.
func TestHAProxyStartsBesideWhatIsNew(t *testing.T) {
	ca := testcatest.Init(t, testca.InitOptions{})
	folder := t.TempDir()
	issued := testcatest.Issue(t, ca, testca.IssueOptions{File: filepath.Join(folder, "www.pem"), OmitIssuer: true}, "www.example.test")
	r := rehearsal{ca, issued}
	h := haproxytest.Start(t, haproxytest.Options{Certs: []string{folder + "/"}})
	h.Stop()
	half := filepath.Join(folder, ".www.pem.ocsp.new.ocsp")
	if err := os.WriteFile(half, []byte("half"), 0o600); err != nil {
		t.Fatal(err)
	}
	s := r.staple(t, time.Minute, "")
	data, err := store.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	c := s.Certificate
	c.ID, c.Job, c.Name, c.WriteFile, c.WriteIssuer, c.IssuerInPEM = staple.ID(c.Leaf), "edge", "www", true, true, false
	starts := func() error { return haproxy.CheckConfig(t.Context(), haproxytest.Binary(t), []string{h.ConfigFile()}) }
	if err := starts(); err != nil {
		t.Errorf("beside a half-written file: %v", err)
	}
	w := writer.New(writer.Config{Store: data, Logger: hclog.NewNullLogger()})
	w.Set([]writer.Certificate{c})
	if got := w.Pass(t.Context(), []record.Staple{{ID: c.ID, DER: s.Facts.DER}})[0]; got.Outcome != writer.Applied {
		t.Fatalf("%+v", got)
	}
	if _, err := os.Stat(half); !os.IsNotExist(err) {
		t.Errorf("the half-written file is still there: %v", err)
	}
	h.Restart()
	if !bytes.Equal(shown(h), s.Facts.DER) {
		t.Error("the start did not read the response")
	}
	if err := os.Remove(issued.Path + ".issuer"); err != nil {
		t.Fatal(err)
	}
	if err := starts(); err == nil {
		t.Log("this version starts without an issuer, too")
	}
}

package plugin

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	"golang.org/x/crypto/ocsp"

	"github.com/consul-ocsp/consul-ocsp/hclconfig"
	"github.com/consul-ocsp/consul-ocsp/plugin/haproxy/haproxytest"
	"github.com/consul-ocsp/consul-ocsp/plugin/staple"
	"github.com/consul-ocsp/consul-ocsp/plugin/testca"
	"github.com/consul-ocsp/consul-ocsp/plugin/writer"
)

// rehearsal is a certificate with its CA, for staples of any age.
type rehearsal struct {
	ca     *testca.CA
	issued *testca.Issued
}

func rehearse(t *testing.T) rehearsal {
	t.Helper()
	dir := t.TempDir()
	ca, err := testca.Init(filepath.Join(dir, "ca"), testca.InitOptions{})
	if err != nil {
		t.Fatal(err)
	}
	issued, err := ca.Issue([]string{"www.example.test"}, testca.IssueOptions{File: filepath.Join(dir, "www.pem")})
	if err != nil {
		t.Fatal(err)
	}
	return rehearsal{ca, issued}
}

// staple is a good response of this age, and in the file where there is one.
func (r rehearsal) staple(t *testing.T, age time.Duration, file string) writer.Staple {
	t.Helper()
	now := time.Now().Truncate(time.Second)
	der, err := r.ca.Respond(testca.Answer{Status: ocsp.Good, Serial: r.issued.Serial, ThisUpdate: now.Add(-age), NextUpdate: now.Add(time.Hour)})
	if err != nil {
		t.Fatal(err)
	}
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

func target(t *testing.T, socket, method string) *haproxyTarget {
	t.Helper()
	return newHAProxy(t.TempDir(), hclconfig.DeliverHAProxy{Socket: socket, Method: method, MinInterval: time.Hour}, hclog.NewNullLogger())
}

func TestReloadsArePaced(t *testing.T) {
	r := rehearse(t)
	file := r.issued.Path + ".ocsp"
	first := r.staple(t, time.Minute, file)
	h := haproxytest.Start(t, haproxytest.Options{Certs: []string{r.issued.Path}, MasterWorker: true})
	to := target(t, h.MasterSocket(), "reload")
	ctx := context.Background()
	epoch := func() string {
		e, err := to.Epoch(ctx)
		if err != nil {
			t.Fatal(err)
		}
		return e
	}

	before := epoch()
	if out, err := to.Install(ctx, first); err != nil || out.How != "unchanged" || epoch() != before {
		t.Fatalf("what HAProxy read at its start: %+v, %v, epoch %s after %s", out, err, epoch(), before)
	}
	second := r.staple(t, 0, file)
	if out, err := to.Install(ctx, second); err != nil || out.How != "reload" {
		t.Fatalf("a new response: %+v, %v", out, err)
	}
	after := epoch()
	if after == before {
		t.Error("the epoch is the same after a reload")
	}
	third := r.staple(t, -time.Minute, file)
	if out, err := to.Install(ctx, third); err == nil {
		t.Errorf("reloaded again within min_interval: %+v", out)
	}
	if epoch() != after {
		t.Error("the worker changed within min_interval")
	}
}

func TestWithoutFileNoReload(t *testing.T) {
	r := rehearse(t)
	h := haproxytest.Start(t, haproxytest.Options{Certs: []string{r.issued.Path}, MasterWorker: true})
	for _, method := range []string{"reload", "auto"} {
		other := rehearse(t) // a certificate that HAProxy does not serve: only a reload could help
		if out, err := target(t, h.MasterSocket(), method).Install(context.Background(), other.staple(t, 0, "")); err == nil {
			t.Errorf("%s: %+v", method, out)
		}
	}
	pid := h.PID()
	if out, err := target(t, h.MasterSocket(), "auto").Install(context.Background(), r.staple(t, 0, "")); err != nil || out.How != "transaction" {
		t.Errorf("a push: %+v, %v", out, err)
	}
	if h.PID() != pid {
		t.Error("HAProxy was reloaded")
	}
}

func TestTargetsStayWhileTheirBlockDoes(t *testing.T) {
	cfg := hclconfig.Default()
	job := hclconfig.Job{Name: "edge", Exec: []hclconfig.DeliverExec{{Command: []string{"true"}}}, HAProxy: []hclconfig.DeliverHAProxy{{Socket: "/a", Method: "auto"}}}
	cfg.Jobs = []hclconfig.Job{job}
	set := &targets{logger: hclog.NewNullLogger()}
	before := set.byJob(cfg)["edge"]
	cfg.Jobs[0].Exec[0].Source.Line = 7
	cfg.Jobs[0].HAProxy[0].Socket = "/b"
	after := set.byJob(cfg)["edge"]
	if before[0] == after[0] {
		t.Error("the socket changed, the target did not")
	}
	if before[1] != after[1] {
		t.Error("a block that only moved made another target")
	}
}

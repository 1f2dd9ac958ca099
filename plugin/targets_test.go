package plugin

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	"golang.org/x/crypto/ocsp"

	"github.com/consul-ocsp/consul-ocsp/hclconfig"
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
	return r.answer(t, ocsp.Good, age, file)
}

func (r rehearsal) answer(t *testing.T, status int, age time.Duration, file string) writer.Staple {
	t.Helper()
	now := time.Now().Truncate(time.Second)
	der, err := r.ca.Respond(testca.Answer{Status: status, Serial: r.issued.Serial, ThisUpdate: now.Add(-age), NextUpdate: now.Add(time.Hour)})
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

// target makes one that gathers nothing; change adjusts its block.
func target(t *testing.T, socket, method string, change ...func(*hclconfig.DeliverHAProxy)) *haproxyTarget {
	t.Helper()
	cfg := hclconfig.Default()
	cfg.LockDir, cfg.DataDir = t.TempDir(), t.TempDir()
	d := hclconfig.DefaultHAProxy()
	d.Socket, d.Method, d.MinInterval = socket, method, time.Hour
	for _, f := range change {
		f(&d)
	}
	to := (&targets{logger: hclog.NewNullLogger()}).haproxy(cfg, "edge", d)
	to.reload.gather = -1
	return to
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

package prospects

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/consul-ocsp/consul-ocsp/hclconfig"
	"github.com/consul-ocsp/consul-ocsp/plugin/settings"
	"github.com/consul-ocsp/consul-ocsp/plugin/testca"
	"github.com/consul-ocsp/consul-ocsp/plugin/testca/testcatest"
)

// What would hurt is said at the certificate that it hurts, and a server that does
// not run hurts nobody.
func TestLook(t *testing.T) {
	ca, certs := testcatest.Init(t, testca.InitOptions{}), t.TempDir()
	issue := func(name string, o testca.IssueOptions) {
		t.Helper()
		o.File, o.Responders = filepath.Join(certs, name), []string{"http://ocsp.example.test"}
		testcatest.Issue(t, ca, o, "www.example.test")
	}
	issue("alone", testca.IssueOptions{OmitIssuer: true})
	issue("key-there", testca.IssueOptions{})
	issue("well", testca.IssueOptions{})
	if err := os.WriteFile(filepath.Join(certs, "key-there.ocsp"), []byte("-----BEGIN PRIVATE KEY-----"), 0o600); err != nil {
		t.Fatal(err)
	}
	cfg := hclconfig.Default()
	cfg.LockDir, cfg.DataDir = t.TempDir(), t.TempDir()
	cfg.Jobs = []hclconfig.Job{{
		Name: "edge", WriteFiles: true, Globs: []hclconfig.Certificates{{Paths: []string{certs}}},
		HAProxy: []hclconfig.DeliverHAProxy{{Socket: filepath.Join(t.TempDir(), "none.sock"), Method: "auto"}},
		Exec:    []hclconfig.DeliverExec{{Command: []string{"false"}}},
	}}
	mapped, err := settings.New(cfg, nil)
	if err != nil {
		t.Fatal(err)
	}
	steps := 0
	r := Look(t.Context(), mapped, func(string, int, int) { steps++ })
	if len(r.Certificates) != 3 || steps != 4 || !r.Hurts() {
		t.Fatalf("%d steps: %+v", steps, r)
	}
	for i, want := range []string{"the issuer is in no file", "holds a PEM", ""} {
		c := r.Certificates[i]
		var hurts []string
		for _, remark := range c.Remarks {
			if remark.Hurts {
				hurts = append(hurts, remark.Text)
			}
		}
		all := strings.Join(hurts, "; ")
		if (all == "") != (want == "") || !strings.Contains(all, want) {
			t.Errorf("%s: %q would hurt, want %q", c.Path, all, want)
		}
		if len(c.Servers) != 2 || c.Servers[0].Way != WayFile || c.Servers[1].Way != WayRun {
			t.Errorf("%s: %+v", c.Path, c.Servers)
		}
	}
	for _, remark := range r.Remarks {
		if remark.Hurts {
			t.Errorf("%s", remark.Text)
		}
	}
}

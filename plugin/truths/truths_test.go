package truths

import (
	"os"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	"golang.org/x/crypto/ocsp"

	"github.com/consul-ocsp/consul-ocsp/hclconfig"
	"github.com/consul-ocsp/consul-ocsp/plugin/haproxy/haproxytest"
	"github.com/consul-ocsp/consul-ocsp/plugin/inventory"
	"github.com/consul-ocsp/consul-ocsp/plugin/settings"
	"github.com/consul-ocsp/consul-ocsp/plugin/testca"
	"github.com/consul-ocsp/consul-ocsp/plugin/testca/testcatest"
)

// Each place is asked itself, and what it has is called by its name only where it
// verifies.
func TestPlacesHaveTheirOwnWord(t *testing.T) {
	ca := testcatest.Init(t, testca.InitOptions{})
	www := testcatest.Issue(t, ca, testca.IssueOptions{}, "www.example.test")
	other := testcatest.Issue(t, ca, testca.IssueOptions{}, "other.example.test")
	respond := func(status int, of *testca.Issued) []byte {
		t.Helper()
		return testcatest.Respond(t, ca, testca.Answer{Status: status, Serial: of.Serial, NextUpdate: time.Now().Add(time.Hour)})
	}
	file := www.Path + ".ocsp"
	if err := os.WriteFile(file, respond(ocsp.Good, www), 0o644); err != nil {
		t.Fatal(err)
	}
	h := haproxytest.Start(t, haproxytest.Options{Certs: []string{www.Path}})
	cfg := hclconfig.Default()
	cfg.LockDir, cfg.DataDir = t.TempDir(), t.TempDir()
	cfg.Jobs = []hclconfig.Job{{
		Name: "edge", WriteFiles: true, Connect: h.Address(), HAProxy: []hclconfig.DeliverHAProxy{{Socket: h.Socket(), Method: "auto"}},
	}}
	mapped, err := settings.New(cfg, &settings.Targets{Logger: hclog.NewNullLogger(), AskOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	c, err := inventory.ReadFile(www.Path)
	if err != nil {
		t.Fatal(err)
	}
	c.Job = "edge"
	for _, step := range []struct {
		name, says string
		holds      []byte
	}{
		{"as it was loaded", "good", nil},
		{"revoked since", "revoked", respond(ocsp.Revoked, www)},
		{"another one's", "refused", respond(ocsp.Good, other)},
		{"no response", "refused", []byte("garbage")},
		{"a placeholder", "none", []byte{}},
	} {
		if step.holds != nil {
			if err := os.WriteFile(file, step.holds, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		l := Lookout{Settings: mapped, Now: time.Now()}
		all := l.At(t.Context(), c).Truths
		if len(all) != 3 || all[0].Place != "file" || all[0].Says != step.says || all[1].Place != "haproxy" || all[1].Says != "good" ||
			all[2].Place != "client" || all[2].Says != "good" {
			t.Errorf("%s: %+v", step.name, all)
		}
	}
	c.Issuer = nil
	l := Lookout{Settings: mapped, Now: time.Now()}
	if client := l.Client(t.Context(), c, h.Address()); client.Says != "error" {
		t.Errorf("without an issuer: %+v", client)
	}
}

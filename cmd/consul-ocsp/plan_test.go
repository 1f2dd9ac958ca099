package main

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/consul-ocsp/consul-ocsp/plugin/haproxy/haproxytest"
	"github.com/consul-ocsp/consul-ocsp/plugin/prospects"
	"github.com/consul-ocsp/consul-ocsp/plugin/testca"
)

// What plan says before a switch and after it, on a HAProxy that runs; it asks
// no responder and leaves every file as it is.
func TestPlan(t *testing.T) {
	t.Parallel()
	const www, shop = "www.example.test", "shop.example.test"
	a := newAuthority(t, testca.ResponderOptions{})
	n := newAlone(t, a, haproxytest.Options{}, www)
	a.issue(t, filepath.Join(n.dir, "certs"), testca.IssueOptions{OmitIssuer: true, MustStaple: true}, shop)
	n.edit(t, "  deliver \"haproxy\"", fmt.Sprintf("  haproxy_config { path = %q }\n  deliver \"haproxy\"", n.haproxy.ConfigFile()))
	before := snapshot(t, n.dir)

	out, code := consulOCSP(t, "plan", "-config-file="+n.job)
	wantPlan(t, out, code, exitFailed,
		"takes a response once a transaction has registered the certificate, without a reload; serves it as "+n.certificate(www),
		"edge/"+shop+" (must-staple)", "! the issuer is in no file, and the certificate has no URL for it",
		"does not serve this certificate", "haproxy -c accepts", "2 certificates, 1 things would hurt")
	if after := snapshot(t, n.dir); after != before {
		t.Errorf("plan changed files:\n%s\n%s", before, after)
	}
	if got := a.requests.Load(); got != 0 {
		t.Errorf("plan asked the responder %d times", got)
	}

	if err := os.Remove(n.certificate(shop)); err != nil {
		t.Fatal(err)
	}
	n.start(t)
	stapled(t, n.haproxy.Address(), www, "good")
	out, code = consulOCSP(t, "plan", "-config-file="+n.job)
	wantPlan(t, out, code, exitOK, "takes a response while it runs", "holds good until ", "1 certificates, 0 things would hurt")
	out, code = consulOCSP(t, "plan", "-json", "-config-file="+n.job)
	var asJSON prospects.Report
	if err := json.Unmarshal([]byte(out), &asJSON); err != nil || code != exitOK || len(asJSON.Certificates) != 1 || asJSON.Certificates[0].Servers[0].Way != prospects.WaySet {
		t.Errorf("plan -json ends with %d, %v:\n%s", code, err, out)
	}
	n.haproxy.Stop()
	out, code = consulOCSP(t, "plan", "-config-file="+n.job)
	wantPlan(t, out, code, exitOK, "does not run: its start reads the file")
}

// What would hurt, each said with what would be right.
func TestPlanOfWhatWouldHurt(t *testing.T) {
	t.Parallel()
	const www = "www.example.test"
	a := newAuthority(t, testca.ResponderOptions{})
	n := newAlone(t, a, haproxytest.Options{}, www)

	broken := writeJob(t, filepath.Join(n.dir, "broken.cfg"), "frontend x\n  bind 127.0.0.1:1 ssl crt "+n.dir+"/certs/\n  no-such-word\n")
	n.edit(t, "  deliver \"haproxy\"", fmt.Sprintf("  haproxy_config { path = %q }\n  deliver \"haproxy\"", broken))
	out, code := consulOCSP(t, "plan", "-config-file="+n.job)
	wantPlan(t, out, code, exitFailed, "! job \"edge\": the next reload would fail: ", "no-such-word")
	n.edit(t, "path = "+fmt.Sprintf("%q", broken), "path = "+fmt.Sprintf("%q", n.haproxy.ConfigFile()))

	if err := os.WriteFile(n.file(www), []byte("-----BEGIN CERTIFICATE-----\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	out, code = consulOCSP(t, "plan", "-config-file="+n.job)
	wantPlan(t, out, code, exitFailed, "! "+n.file(www)+" holds a PEM, which will not be replaced")

	config, err := os.ReadFile(n.haproxy.ConfigFile())
	if err != nil {
		t.Fatal(err)
	}
	writeJob(t, broken, "global\n  zero-warning\n"+string(config))
	n.edit(t, "socket =", "placeholder = true\n    socket =")
	n.edit(t, fmt.Sprintf("path = %q", n.haproxy.ConfigFile()), fmt.Sprintf("path = %q", broken))
	out, code = consulOCSP(t, "plan", "-config-file="+n.job)
	wantPlan(t, out, code, exitFailed, "no placeholder will be written")
	n.edit(t, fmt.Sprintf("path = %q", broken), fmt.Sprintf("path = %q", n.haproxy.ConfigFile()))

	// Rights are those of who asks.
	if err := os.Remove(n.file(www)); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{n.certificate(www), n.job, n.haproxy.ConfigFile()} {
		if err := os.Chmod(path, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	open(t, n.dir)
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(copyProgram(t, self, filepath.Join(n.dir, "consul-ocsp")), "plan", "-config-file="+n.job)
	cmd.Env = cleanEnvironment()
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	b, err := cmd.CombinedOutput()
	wantPlan(t, string(b), cmd.ProcessState.ExitCode(), exitFailed, "! write: ", "can't be written to by user nobody")
	if err == nil {
		t.Error("all is well for a user without rights")
	}
}

func wantPlan(t *testing.T, out string, code, want int, texts ...string) {
	t.Helper()
	if code != want {
		t.Errorf("plan ends with %d; want %d:\n%s", code, want, out)
	}
	for _, text := range texts {
		if !strings.Contains(out, text) {
			t.Errorf("plan does not say %q:\n%s", text, out)
		}
	}
}

// open lets everybody look into a folder of the test, and into those above it.
func open(t *testing.T, dir string) {
	t.Helper()
	for ; dir != os.TempDir() && dir != "/"; dir = filepath.Dir(dir) {
		if err := os.Chmod(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
}

// snapshot is what there is in a folder, with times.
func snapshot(t *testing.T, dir string) string {
	t.Helper()
	var b strings.Builder
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		fi, err := d.Info()
		if err != nil {
			return err
		}
		fmt.Fprintln(&b, path, fi.Mode(), fi.Size(), fi.ModTime())
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return b.String()
}

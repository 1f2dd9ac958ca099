package haproxy_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/consul-ocsp/consul-ocsp/plugin/haproxy"
	"github.com/consul-ocsp/consul-ocsp/plugin/haproxy/haproxytest"
	"github.com/consul-ocsp/consul-ocsp/plugin/testca"
)

// Through the master's socket: pushes reach the worker, a reload brings a new
// one, and a failed one is HAProxy's own word.
func TestMasterSocket(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	www := w.issue("www.test", testca.IssueOptions{})
	p := haproxytest.Start(t, haproxytest.Options{Certs: []string{www.Path}, MasterWorker: true})
	c := client(t, p.MasterSocket())
	first := w.good(www, 3*time.Hour, time.Hour)
	if out := install(t, c, first, haproxy.HowTransaction); out.Pid != p.PID() || out.Pid == p.MasterPID() {
		t.Fatalf("outcome %+v, worker %d, master %d", out, p.PID(), p.MasterPID())
	}
	second := w.good(www, 2*time.Hour, time.Hour)
	install(t, c, second, haproxy.HowSet)
	wantStaple(t, p, "www.test", second.OCSP)

	worker := p.PID()
	p.Break()
	err := c.Reload(t.Context())
	wantKind(t, err, haproxy.KindReloadFailed)
	if err == nil || !strings.Contains(err.Error(), "bogus") {
		t.Errorf("it does not say why: %v", err)
	}
	if p.PID() != worker {
		t.Fatal("the worker changed")
	}
	wantStaple(t, p, "www.test", second.OCSP)

	p.Mend()
	third := w.good(www, time.Hour, time.Hour)
	writeFile(t, www.Path+".ocsp", third.OCSP)
	out, err := c.Install(t.Context(), haproxy.MethodReload, third)
	if err != nil || out.How != haproxy.HowReload || out.Pid == worker {
		t.Fatalf("%+v, %v", out, err)
	}
	reloadedStaple(t, p, "www.test", third.OCSP)
	install(t, c, third, haproxy.HowUnchanged)
}

// A command that signals the master, seen through the stats socket.
func TestReloadCommand(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	www := w.issue("www.test", testca.IssueOptions{OmitIssuer: true})
	p := haproxytest.Start(t, haproxytest.Options{Certs: []string{www.Path}, MasterWorker: true})
	r := w.good(www, time.Hour, time.Hour)
	writeFile(t, www.Path+".issuer", w.issuerPEM())
	writeFile(t, www.Path+".ocsp", r.OCSP)
	worker := p.PID()

	for _, v := range []struct {
		name, script, says string
	}{
		{"fails", "echo '[ALERT] no such thing' >&2; exit 3", "no such thing"},
		{"never ends", "sleep 60", "did not end within"},
		{"does nothing", "yes | head -c 1000000", "still answers"},
	} {
		c := client(t, p.Socket(), func(c *haproxy.Config) {
			c.Reload = []string{"sh", "-c", v.script}
			c.ReloadTimeout = 700 * time.Millisecond
		})
		err := c.Reload(t.Context())
		wantKind(t, err, haproxy.KindReloadFailed)
		if !strings.Contains(err.Error(), v.says) {
			t.Errorf("%s: %v does not say %q", v.name, err, v.says)
		}
	}
	wantKind(t, client(t, p.Socket(), func(c *haproxy.Config) { c.Reload = []string{"/no/such/program"} }).Reload(t.Context()), haproxy.KindReloadFailed)
	wantKind(t, client(t, p.Socket()).Reload(t.Context()), haproxy.KindNoReload)
	if p.PID() != worker {
		t.Fatal("the worker changed")
	}

	c := client(t, p.Socket(), func(c *haproxy.Config) {
		c.Reload = []string{"sh", "-c", fmt.Sprintf("kill -USR2 %d", p.MasterPID())}
	})
	_, err := client(t, p.Socket()).Install(t.Context(), haproxy.MethodAuto, r)
	wantKind(t, err, haproxy.KindNoIssuer) // no way to reload: the first reason
	out, err := c.Install(t.Context(), haproxy.MethodAuto, r)
	if err != nil || out.How != haproxy.HowReload || out.Pid == worker {
		t.Fatalf("%+v, %v", out, err)
	}
	reloadedStaple(t, p, "www.test", r.OCSP)

	if err := os.Remove(www.Path + ".ocsp"); err != nil {
		t.Fatal(err)
	}
	p.Settle()
	_, err = c.Install(t.Context(), haproxy.MethodReload, r)
	wantKind(t, err, haproxy.KindNotRegistered)
}

// A reload that we did not cause takes pushed responses away and is noticed.
func TestForeignReloadIsNoticed(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	www := w.issue("www.test", testca.IssueOptions{})
	p := haproxytest.Start(t, haproxytest.Options{Certs: []string{www.Path}, MasterWorker: true})
	c := client(t, p.Socket())
	r := w.good(www, time.Hour, time.Hour)
	install(t, c, r, haproxy.HowTransaction)
	before, err := c.Info(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	p.Reload()
	after, err := c.Info(t.Context())
	if err != nil || after.Same(before) {
		t.Fatalf("before %+v, after %+v, %v", before, after, err)
	}
	if got := staple(t, p, "www.test"); got != nil {
		t.Fatalf("%d bytes stapled after the reload", len(got))
	}
	install(t, c, r, haproxy.HowTransaction)
	wantStaple(t, p, "www.test", r.OCSP)
}

// A command is run only if HAProxy, asked with what it was started with, would
// load its files: also after a reload, which adds arguments, and with what only
// its environment says.
func TestReloadCommandIsNotRunInVain(t *testing.T) {
	t.Setenv("RELOAD_TEST_CERT", "here")
	w := newWorld(t)
	www := w.issue("www.test", testca.IssueOptions{})
	p := haproxytest.Start(t, haproxytest.Options{Certs: []string{www.Path}, MasterWorker: true, ExtraGlobal: "\tsetenv SEEN \"${RELOAD_TEST_CERT}\"\n"})
	if err := os.Unsetenv("RELOAD_TEST_CERT"); err != nil {
		t.Fatal(err)
	}
	ran := filepath.Join(t.TempDir(), "ran")
	c := client(t, p.Socket(), func(c *haproxy.Config) {
		c.Reload = []string{"sh", "-c", `echo >>"$0" && kill -USR2 "$1"`, ran, strconv.Itoa(p.MasterPID())}
	})
	for range 2 {
		p.Settle()
		if err := c.Reload(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	worker := p.PID()
	p.Break()
	err := c.Reload(t.Context())
	wantKind(t, err, haproxy.KindReloadFailed)
	if err == nil || !strings.Contains(err.Error(), "bogus") {
		t.Errorf("it does not say why: %v", err)
	}
	if got := string(readFile(t, ran)); got != "\n\n" || p.PID() != worker {
		t.Errorf("run %d times, worker %d after %d", len(got), p.PID(), worker)
	}
}

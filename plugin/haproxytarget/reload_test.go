package haproxytarget

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	"golang.org/x/crypto/ocsp"

	"github.com/consul-ocsp/consul-ocsp/consul"
	"github.com/consul-ocsp/consul-ocsp/consul/consultest"
	"github.com/consul-ocsp/consul-ocsp/plugin/haproxy"
	"github.com/consul-ocsp/consul-ocsp/plugin/haproxy/haproxytest"
	"github.com/consul-ocsp/consul-ocsp/plugin/record"
	"github.com/consul-ocsp/consul-ocsp/plugin/writer"
)

// told installs s and, where that waits for it, has the step be taken.
func told(t *testing.T, to *Target, s writer.Staple) (how string, err error) {
	t.Helper()
	out, err := to.Install(t.Context(), s)
	if err != nil || out.How != writer.Filed {
		return out.How, err
	}
	did, err := to.Commit(t.Context(), false)
	switch {
	case err != nil:
		return "", err
	case !did.Done:
		return writer.Filed, nil
	}
	return writer.Reloaded, did.Wrong[s.Certificate.Path]
}

func worker(t *testing.T, to *Target) string {
	t.Helper()
	e, err := to.Epoch(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func wantTold(t *testing.T, to *Target, s writer.Staple, want string) {
	t.Helper()
	if how, err := told(t, to, s); how != want || err != nil {
		t.Fatalf("how %q, %v; want %q", how, err, want)
	}
}

// A server that reads its files only at a reload is reloaded for a first staple,
// for another status, and at half of the loaded one's life; never within
// min_interval, also not by another process.
func TestReloadsAreFew(t *testing.T) {
	r := rehearse(t)
	file := r.issued.Path + ".ocsp"
	h := haproxytest.Start(t, haproxytest.Options{Certs: []string{r.issued.Path}, MasterWorker: true})
	to := target(t, h.MasterSocket(), "reload", func(c *Config) { c.MinInterval = 10 * time.Minute })
	now := time.Now()
	to.reload.now = func() time.Time { return now }
	epoch := worker(t, to)
	reloaded := func(want bool) {
		t.Helper()
		if e := worker(t, to); (e != epoch) != want {
			t.Fatalf("reloaded: %v", e != epoch)
		}
		epoch = worker(t, to)
	}
	wantTold(t, to, r.staple(t, 10*time.Minute, file), writer.Reloaded)
	reloaded(true)
	second := r.staple(t, 5*time.Minute, file)
	now = now.Add(11 * time.Minute)
	wantTold(t, to, second, writer.Filed)
	reloaded(false)
	now = now.Add(30 * time.Minute) // more than half of 70 minutes since its beginning
	wantTold(t, to, second, writer.Reloaded)
	reloaded(true)
	wantTold(t, to, second, writer.Unchanged)
	gone := r.answer(t, ocsp.Revoked, 0, file)
	wantTold(t, to, gone, writer.Filed) // min_interval
	reloaded(false)
	again := target(t, h.MasterSocket(), "reload", func(c *Config) { c.MinInterval = 10 * time.Minute })
	again.reload.mark, again.reload.now = to.reload.mark, to.reload.now
	if _, err := again.Install(t.Context(), gone); err != nil {
		t.Fatal(err)
	}
	if _, err := again.Commit(t.Context(), true); writer.ReasonOf(err) != string(haproxy.KindReloadWaits) || !strings.Contains(err.Error(), "10m0s for min_interval") {
		t.Errorf("another process: %v", err)
	}
	reloaded(false)
	now = now.Add(10 * time.Minute)
	wantTold(t, to, gone, writer.Reloaded)
	reloaded(true)
}

// What a push can't bring is gathered for one reload; a reload that does not
// bring it either is not repeated, and the certificate is cured by whoever mends
// HAProxy's configuration.
func TestReloadThatDoesNotHelpIsNotRepeated(t *testing.T) {
	r, other, third := rehearse(t), rehearse(t), rehearse(t)
	h := haproxytest.Start(t, haproxytest.Options{Certs: []string{r.issued.Path}, MasterWorker: true})
	to := target(t, h.MasterSocket(), "auto", func(c *Config) { c.MinInterval = 0 })
	epoch := worker(t, to)
	served, unknown := other.staple(t, time.Minute, other.issued.Path+".ocsp"), third.staple(t, time.Minute, third.issued.Path+".ocsp")
	for _, s := range []writer.Staple{served, unknown} {
		if out, err := to.Install(t.Context(), s); err != nil || out.How != writer.Filed {
			t.Fatalf("%+v, %v", out, err)
		}
	}
	h.SetCerts(r.issued.Path, other.issued.Path)
	did, err := to.Commit(t.Context(), false)
	if err != nil || !did.Done || len(did.Wrong) != 1 || writer.ReasonOf(did.Wrong[third.issued.Path]) != string(haproxy.KindNotServed) && writer.ReasonOf(did.Wrong[third.issued.Path]) != string(haproxy.KindNotRegistered) {
		t.Fatalf("%+v, %v", did, err)
	}
	wantTold(t, to, served, writer.Unchanged)
	if e := worker(t, to); e == epoch {
		t.Fatal("not reloaded")
	}
	epoch = worker(t, to)
	for range 3 {
		if how, err := told(t, to, unknown); err == nil {
			t.Fatalf("%s", how)
		}
		if did, err := to.Commit(t.Context(), false); did.Done || err != nil {
			t.Fatalf("%+v, %v", did, err)
		}
	}
	if worker(t, to) != epoch {
		t.Fatal("reloaded in vain, again")
	}
	h.SetCerts(r.issued.Path, other.issued.Path, third.issued.Path)
	h.Reload()
	wantTold(t, to, unknown, writer.Unchanged)
}

// A failed reload says why, leaves the old worker, and comes again after
// min_interval.
func TestFailedReloadSaysWhy(t *testing.T) {
	r, other := rehearse(t), rehearse(t)
	h := haproxytest.Start(t, haproxytest.Options{Certs: []string{r.issued.Path}, MasterWorker: true})
	to := target(t, h.MasterSocket(), "auto")
	s := other.staple(t, time.Minute, other.issued.Path+".ocsp")
	h.Break()
	epoch := worker(t, to)
	if how, err := told(t, to, s); writer.ReasonOf(err) != string(haproxy.KindReloadFailed) {
		t.Fatalf("%s, %v", how, err)
	} else {
		t.Log(err)
	}
	if how, err := told(t, to, s); how != writer.Filed || err != nil {
		t.Errorf("again at once: %s, %v", how, err)
	}
	if worker(t, to) != epoch {
		t.Error("the worker changed")
	}
}

// A reload that fails every hour of a day makes one error, and one line when it
// works again.
func TestReloadThatFailsAllDay(t *testing.T) {
	r, other := rehearse(t), rehearse(t)
	h := haproxytest.Start(t, haproxytest.Options{Certs: []string{r.issued.Path}, MasterWorker: true})
	to := target(t, h.MasterSocket(), "auto")
	var log bytes.Buffer
	now := time.Now()
	to.logger, to.reload.now = hclog.New(&hclog.LoggerOptions{Output: &log, Level: hclog.Info}), func() time.Time { return now }
	s := other.staple(t, time.Minute, other.issued.Path+".ocsp")
	h.Break()
	for range 24 {
		now = now.Add(time.Hour + time.Minute)
		if how, err := told(t, to, s); writer.ReasonOf(err) != string(haproxy.KindReloadFailed) {
			t.Fatalf("%s, %v", how, err)
		}
	}
	if got := log.String(); strings.Count(got, "\n") != 2 || strings.Count(got, "[ERROR]") != 1 {
		t.Errorf("in a day:\n%s", got)
	}
	log.Reset()
	h.SetCerts(r.issued.Path, other.issued.Path)
	now = now.Add(2 * time.Hour)
	if how, err := told(t, to, s); how != writer.Reloaded || err != nil {
		t.Errorf("%s, %v", how, err)
	}
	if got := log.String(); strings.Count(got, "\n") != 1 || !strings.Contains(got, "HAProxy is reloaded again") || !strings.Contains(got, "failures=24") {
		t.Errorf("afterwards:\n%s", got)
	}
}

// on_revoked = "remove": a reload after the file is gone, and no staple then.
func TestRevokedIsWithdrawnByReload(t *testing.T) {
	r := rehearse(t)
	file := r.issued.Path + ".ocsp"
	r.staple(t, time.Minute, file)
	h := haproxytest.Start(t, haproxytest.Options{Certs: []string{r.issued.Path}, MasterWorker: true})
	to := target(t, h.MasterSocket(), "auto", func(c *Config) { c.Remove = true })
	gone := r.answer(t, ocsp.Revoked, 0, "")
	if how, err := told(t, to, gone); how != writer.Reloaded || writer.ReasonOf(err) != string(haproxy.KindRefused) {
		t.Errorf("the file is still there: %s, %v", how, err)
	}
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	h.Reload()
	wantTold(t, to, gone, writer.Unchanged)
	wantTold(t, to, r.staple(t, 0, file), string(haproxy.HowTransaction))
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(to.reload.mark); err != nil {
		t.Fatal(err)
	}
	wantTold(t, to, r.answer(t, ocsp.Revoked, 0, ""), writer.Reloaded)
}

func TestWithoutFileOrWayNoReload(t *testing.T) {
	r := rehearse(t)
	h := haproxytest.Start(t, haproxytest.Options{Certs: []string{r.issued.Path}, MasterWorker: true})
	other := rehearse(t) // a certificate that HAProxy does not serve: only a reload could help
	for name, to := range map[string]*Target{
		"reload": target(t, h.MasterSocket(), "reload"), "auto": target(t, h.MasterSocket(), "auto"),
	} {
		if how, err := told(t, to, other.staple(t, 0, "")); err == nil {
			t.Errorf("%s: %s", name, how)
		}
	}
	filed := other.staple(t, 0, filepath.Join(t.TempDir(), "other.ocsp"))
	for name, to := range map[string]*Target{
		"push": target(t, h.MasterSocket(), "push"), "no way": target(t, h.Socket(), "auto"),
	} {
		if how, err := told(t, to, filed); writer.ReasonOf(err) != string(haproxy.KindNotServed) {
			t.Errorf("%s: %s, %v", name, how, err)
		}
	}
	pid := h.PID()
	wantTold(t, target(t, h.MasterSocket(), "auto"), r.staple(t, 0, ""), string(haproxy.HowTransaction))
	if h.PID() != pid {
		t.Error("HAProxy was reloaded")
	}
}

// A node whose reload fails stops the others of its job until it is mended, or
// until what they have loaded is about to end.
func TestFailedReloadStopsOtherNodes(t *testing.T) {
	s := consultest.Start(t)
	node := func(name string) (*Target, *haproxytest.Process, rehearsal) {
		client, err := consul.New(consul.Config{Address: s.Address(), Logger: hclog.NewNullLogger()})
		if err != nil {
			t.Fatal(err)
		}
		r := rehearse(t)
		h := haproxytest.Start(t, haproxytest.Options{Certs: []string{r.issued.Path}, MasterWorker: true})
		to := target(t, h.MasterSocket(), "reload", func(c *Config) { c.MinInterval = 0 })
		turn := &Turns{Cluster: client, Who: func(context.Context) (record.Reloader, error) {
			return record.Reloader{Instance: "i-" + name, Node: name}, nil
		}}
		to.reload.turns = func() *Turns { return turn }
		return to, h, r
	}
	first, h, r := node("web-1")
	h.Break()
	staple := r.staple(t, time.Minute, r.issued.Path+".ocsp")
	if how, err := told(t, first, staple); writer.ReasonOf(err) != string(haproxy.KindReloadFailed) {
		t.Fatalf("%s, %v", how, err)
	}

	second, _, r2 := node("web-2")
	theirs := r2.staple(t, time.Minute, r2.issued.Path+".ocsp")
	how, err := told(t, second, theirs)
	if writer.ReasonOf(err) != string(haproxy.KindReloadWaits) || !strings.Contains(err.Error(), `"web-1"`) {
		t.Fatalf("%s, %v", how, err)
	}
	now := time.Now()
	second.reload.now = func() time.Time { return now }
	now = now.Add(askLatest)
	h.Mend()
	wantTold(t, first, staple, writer.Reloaded)
	wantTold(t, second, theirs, writer.Reloaded)

	// The first fails again; the second's staple is used up to three quarters.
	h.Break()
	if how, err := told(t, first, r.answer(t, ocsp.Revoked, 0, r.issued.Path+".ocsp")); err == nil {
		t.Fatalf("%s", how)
	}
	next := r2.staple(t, 0, r2.issued.Path+".ocsp")
	now = now.Add(35 * time.Minute)
	if how, err := told(t, second, next); writer.ReasonOf(err) != string(haproxy.KindReloadWaits) {
		t.Fatalf("%s, %v", how, err)
	}
	now = now.Add(10 * time.Minute)
	wantTold(t, second, next, writer.Reloaded)

	// Without Consul, what is not urgent waits, and says so.
	s.Stop()
	now = now.Add(-15 * time.Minute)
	if how, err := told(t, second, r2.answer(t, ocsp.Good, -time.Minute, r2.issued.Path+".ocsp")); how != writer.Filed && writer.ReasonOf(err) != string(haproxy.KindReloadWaits) {
		t.Fatalf("%s, %v", how, err)
	}
}

package haproxytarget

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/base64"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/consul-ocsp/consul-ocsp/plugin/clocktest"
	"github.com/consul-ocsp/consul-ocsp/plugin/haproxy"
	"github.com/consul-ocsp/consul-ocsp/plugin/haproxy/haproxytest"
	"github.com/consul-ocsp/consul-ocsp/plugin/record"
	"github.com/consul-ocsp/consul-ocsp/plugin/staple"
	"github.com/consul-ocsp/consul-ocsp/plugin/store"
	"github.com/consul-ocsp/consul-ocsp/plugin/writer"
)

// nothing is a Source without responses.
type nothing struct{}

func (nothing) Follow(ctx context.Context, _ func() []string, _ func(string) (record.Meta, bool), _ func(context.Context, []record.Staple), _ <-chan struct{}) error {
	<-ctx.Done()
	return nil
}

// shown is what a new client gets; nil where that is nothing.
func shown(h *haproxytest.Process) []byte {
	c, err := tls.Dial("tcp", h.Address(), &tls.Config{InsecureSkipVerify: true})
	if err != nil {
		return nil
	}
	defer c.Close()
	return c.OCSPResponse()
}

// serve runs a writer for one certificate until the test ends.
func serve(t *testing.T, c writer.Certificate) *writer.Writer {
	t.Helper()
	data, err := store.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	w := writer.New(writer.Config{
		Store: data, Logger: hclog.NewNullLogger(), EpochInterval: 10 * time.Millisecond, CompareInterval: 50 * time.Millisecond,
		FirstRetry: 10 * time.Millisecond, LongestRetry: 50 * time.Millisecond,
	})
	w.Set([]writer.Certificate{c})
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- w.Run(ctx, nothing{}) }() // ends with ctx
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return w
}

// Somebody else's transaction is left alone, named, and waited for.
func TestForeignTransactionIsWaitedFor(t *testing.T) {
	r := rehearse(t)
	h := haproxytest.Start(t, haproxytest.Options{Certs: []string{r.issued.Path}})
	pem, err := os.ReadFile(r.issued.Path)
	if err != nil {
		t.Fatal(err)
	}
	if answer, err := h.Command("set ssl cert " + r.issued.Path + " <<\n" + string(pem) + "\n"); err != nil || !strings.Contains(answer, "Transaction created") {
		t.Fatal(answer, err)
	}
	s := r.staple(t, time.Minute, filepath.Join(t.TempDir(), "www.ocsp"))
	c := s.Certificate
	c.ID, c.OCSPFile, c.WriteFile, c.Targets = staple.ID(c.Leaf), s.File, true, []writer.Target{target(t, h.Socket(), "auto")}
	w := serve(t, c)
	clocktest.Eventually(t, "a second try", func() bool {
		state := w.States()[0].Targets[0]
		return state.Reason == string(haproxy.KindTransactionBusy) && strings.Contains(state.Error, r.issued.Path) && state.Failures > 1
	})
	if answer, err := h.Command("commit ssl cert " + r.issued.Path); err != nil || !strings.Contains(answer, "Success!") {
		t.Fatalf("their transaction is gone: %s, %v", answer, err)
	}
	clocktest.Eventually(t, "the staple", func() bool { return bytes.Equal(shown(h), s.Facts.DER) })
}

// Whatever others do to a running HAProxy, what it staples is compared and
// repaired: an older response pushed, the certificate loaded anew, a reload
// that lost what no file holds and whose old worker still drains a connection.
func TestDriftInHAProxyIsRepaired(t *testing.T) {
	r := rehearse(t)
	h := haproxytest.Start(t, haproxytest.Options{Certs: []string{r.issued.Path}, MasterWorker: true})
	to := target(t, h.MasterSocket(), "push")
	elsewhere := filepath.Join(t.TempDir(), "www.ocsp") // which HAProxy does not read
	older := r.staple(t, time.Hour, elsewhere)
	newest := r.staple(t, time.Minute, elsewhere)
	c := newest.Certificate
	c.ID, c.OCSPFile, c.WriteFile, c.Targets = staple.ID(c.Leaf), elsewhere, true, []writer.Target{to}
	serve(t, c)
	repaired := func() bool { return bytes.Equal(shown(h), newest.Facts.DER) }
	clocktest.Eventually(t, "the first staple", repaired)

	if answer, err := h.Command("set ssl ocsp-response " + base64.StdEncoding.EncodeToString(older.Facts.DER)); err != nil {
		t.Fatal(answer, err)
	}
	clocktest.Eventually(t, "the staple after an older one was pushed", repaired)

	draining, err := net.Dial("tcp", h.Address())
	if err != nil {
		t.Fatal(err)
	}
	defer draining.Close()
	busy := tls.Client(draining, &tls.Config{InsecureSkipVerify: true})
	if err := busy.Handshake(); err != nil {
		t.Fatal(err)
	}
	old := h.PID()
	h.Reload()
	clocktest.Eventually(t, "the staple in the new worker", repaired)
	if err := syscall.Kill(old, 0); err != nil {
		t.Errorf("the old worker does not drain: %v", err)
	}
	info, err := to.client.Info(t.Context())
	if err != nil || info.Pid != h.PID() || info.Pid == old {
		t.Errorf("worker %d is told, not %d: %v", info.Pid, h.PID(), err)
	}
}

package haproxy_test

import (
	"context"
	"fmt"
	"net"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/consul-ocsp/consul-ocsp/plugin/haproxy"
	"github.com/consul-ocsp/consul-ocsp/plugin/haproxy/haproxytest"
	"github.com/consul-ocsp/consul-ocsp/plugin/testca"
)

// What a socket's other end can do to us ends in a Kind, and in time.
func TestBadSockets(t *testing.T) {
	t.Parallel()
	says := func(answer string, closes bool) string {
		return newFake(t, func(string) (string, bool) { return answer, closes }).socket
	}
	nobody, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	nobody.Close()
	for _, v := range []struct {
		name, socket string
		kind         haproxy.Kind
	}{
		{"absent", filepath.Join(t.TempDir(), "s"), haproxy.KindSocket},
		{"nobody on the port", nobody.Addr().String(), haproxy.KindSocket},
		{"closes", says("", true), haproxy.KindSocket},
		{"never answers", says("", false), haproxy.KindTimeout},
		{"never ends", says("Name: HAProxy\n", false), haproxy.KindTimeout},
		{"rubbish", says("220 mail.test ESMTP\x00\xff\r\n", true), haproxy.KindNotHAProxy},
		{"half an answer", says("Name: HAProxy\nVersion: 2.6.12\n", true), haproxy.KindNotHAProxy},
		{"too much", says(strings.Repeat("A: 1\n", 4<<20), true), haproxy.KindNotHAProxy},
		{"a master without worker", says("Can't find the target PID matching the prefix '@1'\n", true), haproxy.KindSocket},
		{"path too long", "/" + strings.Repeat("x", 200), haproxy.KindSocket},
	} {
		c := client(t, v.socket, func(c *haproxy.Config) { c.Timeout = 300 * time.Millisecond })
		if v.name == "too much" {
			c = client(t, v.socket)
		}
		_, err := c.Info(t.Context())
		if got := haproxy.KindOf(err); got != v.kind {
			t.Errorf("%s: kind %q, want %q: %v", v.name, got, v.kind, err)
		} else {
			t.Log(err)
		}
	}
}

func TestInfoEndsWithContext(t *testing.T) {
	t.Parallel()
	f := newFake(t, func(string) (string, bool) { return "", false })
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	_, err := client(t, f.socket, func(c *haproxy.Config) { c.Timeout = time.Hour }).Info(ctx)
	wantKind(t, err, haproxy.KindTimeout)
}

// A version that cannot show what it holds gets no response.
func TestOldVersion(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	f := newFake(t, func(string) (string, bool) { return "Version: 2.4.22\nPid: 7\nUptime_sec: 5\n", true })
	_, err := client(t, f.socket).Install(t.Context(), haproxy.MethodPush, w.good(w.issue("a.test", testca.IssueOptions{}), 0, time.Hour))
	wantKind(t, err, haproxy.KindUnsupported)
}

// A worker that changes under every push is reported, not pushed to for ever.
func TestWorkerChangesAllTheTime(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	cert := w.good(w.issue("a.test", testca.IssueOptions{}), time.Hour, time.Hour)
	text := fmt.Sprintf("OCSP Response Data:\n    Cert Status: good\n    This Update: %s\n    Next Update: %s\n",
		cert.ThisUpdate.UTC().Format("Jan _2 15:04:05 2006 GMT"), cert.NextUpdate.UTC().Format("Jan _2 15:04:05 2006 GMT"))
	var pid atomic.Int32
	f := newFake(t, func(line string) (string, bool) {
		switch {
		case line == "show info":
			return fmt.Sprintf("Version: 2.6.12\nPid: %d\nUptime_sec: 5\n", pid.Add(1)), true
		case strings.HasPrefix(line, "show ssl ocsp-response"):
			return text, true
		case line == "show ssl cert":
			return "# filename\n", true
		}
		return "Can't display the certificate: Not found or the certificate is a bundle!\n\n", true
	})
	_, err := client(t, f.socket).Install(t.Context(), haproxy.MethodPush, cert)
	wantKind(t, err, haproxy.KindRestarting)
}

// Below level admin only what HAProxy allows works, and the error says what is missing.
func TestLevels(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	with, without := w.issue("with.test", testca.IssueOptions{}), w.issue("without.test", testca.IssueOptions{})
	writeFile(t, with.Path+".ocsp", w.good(with, 3*time.Hour, time.Hour).OCSP)
	for _, level := range []string{"user", "operator"} {
		p := haproxytest.Start(t, haproxytest.Options{Certs: []string{with.Path, without.Path}, SocketLevel: level})
		c := client(t, p.Socket())
		install(t, c, w.good(with, 2*time.Hour, time.Hour), haproxy.HowSet)
		_, err := c.Install(t.Context(), haproxy.MethodAuto, w.good(without, time.Hour, time.Hour))
		wantKind(t, err, haproxy.KindPermission)
		if !strings.Contains(err.Error(), "level admin") {
			t.Errorf("the error does not name the remedy: %v", err)
		}
	}
}

// HAProxy gone and back: an error, and then the same client works.
func TestSocketGone(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	www := w.issue("www.test", testca.IssueOptions{})
	p := haproxytest.Start(t, haproxytest.Options{Certs: []string{www.Path}})
	c := client(t, p.Socket())
	r := w.good(www, time.Hour, time.Hour)
	install(t, c, r, haproxy.HowTransaction)
	before, err := c.Info(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	p.Stop()
	_, err = c.Install(t.Context(), haproxy.MethodPush, r)
	wantKind(t, err, haproxy.KindSocket)
	p.Restart()
	after, err := c.Info(t.Context())
	if err != nil || after.Same(before) {
		t.Fatalf("before %+v, after %+v, %v", before, after, err)
	}
	install(t, c, r, haproxy.HowTransaction)
}

// HAProxy's runtime API on a port, as host:port and in HAProxy's own spelling.
func TestTCPSocket(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	www := w.issue("www.test", testca.IssueOptions{})
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().String()
	l.Close()
	p := haproxytest.Start(t, haproxytest.Options{Certs: []string{www.Path}, ExtraGlobal: "\tstats socket ipv4@" + address + " level admin"})
	r := w.good(www, time.Hour, time.Hour)
	install(t, client(t, address), r, haproxy.HowTransaction)
	install(t, client(t, "ipv4@"+address), r, haproxy.HowUnchanged)
	wantStaple(t, p, "www.test", r.OCSP)
}

// From 3.4 on, below level admin nothing that has to do with responses is
// allowed. No such version is in Debian yet.
func TestEverythingIsDenied(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	f := newFake(t, func(line string) (string, bool) {
		if line == "show info" {
			return "Version: 3.4.1\nPid: 7\nUptime_sec: 5\n", true
		}
		return "Permission denied\n", true
	})
	c := client(t, f.socket)
	cert := w.good(w.issue("a.test", testca.IssueOptions{}), 0, time.Hour)
	_, err := c.Install(t.Context(), haproxy.MethodPush, cert)
	_, heldErr := c.Held(t.Context(), cert.CertID)
	for _, err := range []error{err, heldErr, c.PushAll(t.Context(), []haproxy.Certificate{cert})[0].Err} {
		wantKind(t, err, haproxy.KindPermission)
		if err == nil || !strings.Contains(err.Error(), `"level admin"`) {
			t.Errorf("the error does not name the remedy: %v", err)
		}
	}
}

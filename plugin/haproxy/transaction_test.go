package haproxy_test

import (
	"encoding/base64"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/consul-ocsp/consul-ocsp/plugin/haproxy"
	"github.com/consul-ocsp/consul-ocsp/plugin/haproxy/haproxytest"
	"github.com/consul-ocsp/consul-ocsp/plugin/testca"
)

// Somebody else's transaction is neither used nor ended.
func TestForeignTransaction(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a, b := w.issue("a.test", testca.IssueOptions{}), w.issue("b.test", testca.IssueOptions{})
	registered := w.issue("c.test", testca.IssueOptions{})
	writeFile(t, registered.Path+".ocsp", nil)
	p := haproxytest.Start(t, haproxytest.Options{Certs: []string{a.Path, b.Path, registered.Path}})
	c := client(t, p.Socket())
	theirs := w.good(a, time.Hour, time.Hour)
	command(t, p, "set ssl cert %s.ocsp <<\n%s\n", a.Path, base64.StdEncoding.EncodeToString(theirs.OCSP))

	for _, cert := range []*testca.Issued{a, b} {
		_, err := c.Install(t.Context(), haproxy.MethodPush, w.good(cert, time.Hour, 2*time.Hour))
		wantKind(t, err, haproxy.KindTransactionBusy)
		if !strings.Contains(err.Error(), a.Path) {
			t.Errorf("the error does not name the certificate: %v", err)
		}
	}
	install(t, c, w.good(registered, time.Hour, time.Hour), haproxy.HowSet) // needs none

	if answer := command(t, p, "commit ssl cert %s", a.Path); !strings.Contains(answer, "Success!") {
		t.Fatalf("their transaction is gone: %s", answer)
	}
	wantStaple(t, p, "a.test", theirs.OCSP)
	install(t, c, w.good(b, time.Hour, time.Hour), haproxy.HowTransaction)
}

// A transaction that a killed run of ours left open does not block us for ever.
func TestOrphanedTransaction(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a, b := w.issue("a.test", testca.IssueOptions{}), w.issue("b.test", testca.IssueOptions{})
	p := haproxytest.Start(t, haproxytest.Options{Certs: []string{a.Path, b.Path}})
	dir := t.TempDir()
	c := client(t, p.Socket(), func(c *haproxy.Config) { c.LockDir = dir })
	if _, err := c.Info(t.Context()); err != nil {
		t.Fatal(err)
	}
	locks, err := filepath.Glob(filepath.Join(dir, "haproxy-*.lock"))
	if err != nil || len(locks) != 1 {
		t.Fatalf("lock files %q, %v", locks, err)
	}
	r := w.good(b, time.Hour, time.Hour)
	command(t, p, "set ssl cert %s.ocsp <<\n%s\n", a.Path, base64.StdEncoding.EncodeToString(r.OCSP))
	writeFile(t, locks[0], fmt.Appendf(nil, "transaction %d %q", p.PID()+1, a.Path)) // of another worker
	_, err = c.Install(t.Context(), haproxy.MethodPush, r)
	wantKind(t, err, haproxy.KindTransactionBusy)
	writeFile(t, locks[0], fmt.Appendf(nil, "transaction %d %q", p.PID(), a.Path))
	install(t, c, r, haproxy.HowTransaction)
	wantStaple(t, p, "b.test", r.OCSP)
	if note := readFile(t, locks[0]); len(note) != 0 {
		t.Errorf("the note is still there: %q", note)
	}
}

// HAProxy 2.6 says "updated" and takes the data when somebody began a
// transaction between our look and our command.
func TestTransactionBegunMeanwhile(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := w.issue("a.test", testca.IssueOptions{})
	cert := w.good(a, time.Hour, time.Hour)
	for _, answer := range []string{
		"Transaction updated for certificate /other.pem!\n\n",
		"Transaction updated for certificate /a.pem!\n\n",
		"The ongoing transaction is about '/other.pem' but you are trying to set '/a.pem'\nCan't update /a.pem.ocsp!\n\n",
	} {
		var aborted, committed bool
		f := newFake(t, func(line string) (string, bool) {
			switch {
			case line == "show info":
				return "Version: 2.6.12\nPid: 7\nUptime_sec: 5\n", true
			case strings.HasPrefix(line, "show ssl ocsp-response"):
				return "Certificate ID does not match any certificate.\n\n", true
			case line == "show ssl cert":
				return "# filename\n/a.pem\n\n", true
			case strings.HasPrefix(line, "show ssl cert "):
				return "Filename: /a.pem\nSHA1 FingerPrint: " + strings.ToUpper(cert.FingerprintSHA1) + "\nOCSP Response Key: \n\n", true
			case strings.HasPrefix(line, "set ssl cert"):
				return answer, true
			}
			aborted = aborted || strings.HasPrefix(line, "abort")
			committed = committed || strings.HasPrefix(line, "commit")
			return "", true
		})
		_, err := client(t, f.socket).Install(t.Context(), haproxy.MethodPush, cert)
		wantKind(t, err, haproxy.KindTransactionBusy)
		if aborted || committed {
			t.Errorf("%q: their transaction was ended", answer)
		}
	}
}

// A transaction of ours that HAProxy does not commit is ended by us.
func TestOwnTransactionIsAborted(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a, b := w.issue("a.test", testca.IssueOptions{OmitIssuer: true}), w.issue("b.test", testca.IssueOptions{})
	p := haproxytest.Start(t, haproxytest.Options{Certs: []string{a.Path, b.Path}})
	c := client(t, p.Socket())
	cert := w.good(a, time.Hour, time.Hour)
	cert.IssuerPEM = nil // as if the PEM had it: HAProxy lacks it
	if _, err := c.Install(t.Context(), haproxy.MethodPush, cert); err == nil {
		t.Fatal("installed without an issuer")
	} else {
		t.Log(err)
	}
	if answer := command(t, p, "show ssl cert"); strings.Contains(answer, "*") {
		t.Errorf("a transaction is open:\n%s", answer)
	}
	install(t, c, w.good(b, time.Hour, time.Hour), haproxy.HowTransaction)
}

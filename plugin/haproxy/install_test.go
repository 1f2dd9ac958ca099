package haproxy_test

import (
	"testing"
	"time"

	"golang.org/x/crypto/ocsp"

	"github.com/consul-ocsp/consul-ocsp/plugin/haproxy"
	"github.com/consul-ocsp/consul-ocsp/plugin/haproxy/haproxytest"
	"github.com/consul-ocsp/consul-ocsp/plugin/testca"
)

// A certificate that started with a response takes newer ones by the plain
// command, and nothing else ever replaces it.
func TestInstallRegistered(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	www := w.issue("www.test", testca.IssueOptions{})
	first := w.good(www, 3*time.Hour, time.Hour)
	writeFile(t, www.Path+".ocsp", first.OCSP)
	p := haproxytest.Start(t, haproxytest.Options{Certs: []string{www.Path}})
	c := client(t, p.Socket())

	install(t, c, first, haproxy.HowUnchanged)
	second := w.good(www, 2*time.Hour, 2*time.Hour)
	out := install(t, c, second, haproxy.HowSet)
	if out.Pid != p.PID() || out.Version == "" {
		t.Fatalf("outcome %+v, worker %d", out, p.PID())
	}
	wantStaple(t, p, "www.test", second.OCSP)
	install(t, c, second, haproxy.HowUnchanged)

	// Same times, other bytes: a revocation.
	revoked := w.answer(www, testca.Answer{Status: ocsp.Revoked, ThisUpdate: second.ThisUpdate, NextUpdate: second.NextUpdate})
	install(t, c, revoked, haproxy.HowSet)
	wantStaple(t, p, "www.test", revoked.OCSP)
	install(t, c, second, haproxy.HowNewer) // good as of the same second
	install(t, c, first, haproxy.HowNewer)  // older
	wantStaple(t, p, "www.test", revoked.OCSP)
	newest := w.good(www, time.Hour, 16*time.Minute)
	install(t, c, newest, haproxy.HowSet)
	// Twelve minutes on, HAProxy would not staple it any more: an older one
	// that lives longer is better than none.
	later := client(t, p.Socket(), func(c *haproxy.Config) { c.Now = func() time.Time { return time.Now().Add(12 * time.Minute) } })
	install(t, c, second, haproxy.HowNewer)
	install(t, later, second, haproxy.HowSet)
	install(t, c, revoked, haproxy.HowSet)

	held, err := c.Held(t.Context(), revoked.CertID)
	if err != nil {
		t.Fatal(err)
	}
	if !held.Registered || !held.Present || !held.Revoked || !held.ThisUpdate.Equal(revoked.ThisUpdate) || !held.NextUpdate.Equal(revoked.NextUpdate) {
		t.Fatalf("held %+v", held)
	}
}

// What HAProxy loaded without any response is registered without a reload.
func TestInstallUnregistered(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	www := w.issue("www.test", testca.IssueOptions{})
	bare := w.issue("bare.test", testca.IssueOptions{OmitIssuer: true})
	empty := w.issue("empty.test", testca.IssueOptions{})
	writeFile(t, empty.Path+".ocsp", nil)
	p := haproxytest.Start(t, haproxytest.Options{Certs: []string{www.Path, bare.Path, empty.Path}})
	c := client(t, p.Socket())
	pid := p.PID()

	r := w.good(www, 3*time.Hour, time.Hour)
	if held, err := c.Held(t.Context(), r.CertID); err != nil || held.Registered {
		t.Fatalf("held %+v, %v", held, err)
	}
	install(t, c, r, haproxy.HowTransaction)
	wantStaple(t, p, "www.test", r.OCSP)
	r = w.good(www, 2*time.Hour, time.Hour)
	install(t, c, r, haproxy.HowSet)
	wantStaple(t, p, "www.test", r.OCSP)

	r = w.good(bare, time.Hour, time.Hour)
	_, err := c.Install(t.Context(), haproxy.MethodPush, r)
	wantKind(t, err, haproxy.KindNoIssuer)
	r.IssuerPEM = append([]byte("\n\ntext\n\n"), w.issuerPEM()...)
	install(t, c, r, haproxy.HowTransaction)
	wantStaple(t, p, "bare.test", r.OCSP)

	r = w.good(empty, time.Hour, time.Hour)
	if held, err := c.Held(t.Context(), r.CertID); err != nil || !held.Registered || held.Present {
		t.Fatalf("held %+v, %v", held, err)
	}
	install(t, c, r, haproxy.HowSet)
	wantStaple(t, p, "empty.test", r.OCSP)

	keys, err := c.Registered(t.Context())
	if err != nil || len(keys) != 3 {
		t.Fatalf("registered %q, %v", keys, err)
	}
	if p.PID() != pid {
		t.Fatal("the worker changed")
	}
}

// The same certificate under two names is stapled for both.
func TestInstallLoadedTwice(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	www := w.issue("www.test", testca.IssueOptions{})
	pemFile := readFile(t, www.Path)
	copied := www.Path + " copy;1.pem" // a name that must be escaped
	writeFile(t, copied, pemFile)
	p := haproxytest.Start(t, haproxytest.Options{Certs: []string{www.Path, copied}})
	c := client(t, p.Socket())
	install(t, c, w.good(www, 3*time.Hour, time.Hour), haproxy.HowTransaction)
	keys, err := c.Registered(t.Context())
	if err != nil || len(keys) != 1 {
		t.Fatalf("registered %q, %v", keys, err)
	}
	for _, name := range []string{www.Path, `` + escaped(copied)} {
		if d := command(t, p, "show ssl cert %s", name); !hasKey(d) {
			t.Errorf("%s has no response:\n%s", name, d)
		}
	}
	second := w.good(www, 2*time.Hour, time.Hour)
	install(t, c, second, haproxy.HowSet)
	wantStaple(t, p, "www.test", second.OCSP)
}

// A certificate that was replaced at run time is found again under its name.
func TestInstallReplacedCertificate(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	old := w.issue("www.test", testca.IssueOptions{})
	p := haproxytest.Start(t, haproxytest.Options{Certs: []string{old.Path}})
	c := client(t, p.Socket())
	install(t, c, w.good(old, 3*time.Hour, time.Hour), haproxy.HowTransaction)

	renewed := w.issue("www.test", testca.IssueOptions{File: old.Path + ".new"})
	r := w.good(renewed, time.Hour, time.Hour)
	_, err := c.Install(t.Context(), haproxy.MethodPush, r)
	wantKind(t, err, haproxy.KindNotServed)
	command(t, p, "set ssl cert %s <<\n%s", old.Path, readFile(t, renewed.Path))
	command(t, p, "commit ssl cert %s", old.Path)
	if got := staple(t, p, "www.test"); got != nil {
		t.Fatalf("%d bytes stapled for the renewed certificate", len(got))
	}
	install(t, c, r, haproxy.HowTransaction)
	wantStaple(t, p, "www.test", r.OCSP)
}

// The CertID with absent parameters is another key for the plain command.
func TestInstallCertIDWithoutParameters(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	www := w.issue("www.test", testca.IssueOptions{})
	first := w.good(www, 3*time.Hour, time.Hour)
	writeFile(t, www.Path+".ocsp", first.OCSP)
	p := haproxytest.Start(t, haproxytest.Options{Certs: []string{www.Path}})
	c := client(t, p.Socket())
	r := w.answer(www, testca.Answer{ThisUpdate: w.now.Add(-time.Hour), NextUpdate: w.now.Add(time.Hour), NoHashParameters: true})
	install(t, c, r, haproxy.HowTransaction)
	wantStaple(t, p, "www.test", r.OCSP)
}

// What HAProxy would not staple is refused, and the good staple stays.
func TestInstallRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	www := w.issue("www.test", testca.IssueOptions{})
	other := w.issue("other.test", testca.IssueOptions{})
	good := w.good(www, 3*time.Hour, time.Hour)
	writeFile(t, www.Path+".ocsp", good.OCSP)
	p := haproxytest.Start(t, haproxytest.Options{Certs: []string{www.Path}})
	c := client(t, p.Socket())

	garbage := good
	garbage.OCSP, garbage.ThisUpdate = []byte("garbage"), w.now
	foreign := w.good(other, time.Hour, time.Hour)
	foreign.CertID, foreign.FingerprintSHA1 = good.CertID, good.FingerprintSHA1
	huge := w.good(www, time.Hour, time.Hour)
	huge.OCSP = make([]byte, 11300)
	noEnd := w.good(www, time.Hour, time.Hour)
	noEnd.NextUpdate = time.Time{}
	longID := w.good(www, time.Hour, time.Hour)
	longID.CertID = make([]byte, 200)
	for _, v := range []struct {
		name string
		cert haproxy.Certificate
		kind haproxy.Kind
	}{
		{"short-lived", w.good(www, time.Hour, 9*time.Minute), haproxy.KindShortLived},
		{"no nextUpdate", noEnd, haproxy.KindShortLived},
		{"garbage", garbage, haproxy.KindRefused},
		{"unknown", w.answer(www, testca.Answer{Status: ocsp.Unknown, ThisUpdate: w.now, NextUpdate: w.now.Add(time.Hour)}), haproxy.KindRefused},
		{"from the future", w.good(www, -10*time.Minute, time.Hour), haproxy.KindRefused},
		{"another certificate's", foreign, haproxy.KindRefused},
		{"not served", w.good(other, time.Hour, time.Hour), haproxy.KindNotServed},
		{"too large", huge, haproxy.KindTooLarge},
		{"impossible CertID", longID, haproxy.KindRefused},
	} {
		_, err := c.Install(t.Context(), haproxy.MethodPush, v.cert)
		if got := haproxy.KindOf(err); got != v.kind {
			t.Errorf("%s: kind %q, want %q: %v", v.name, got, v.kind, err)
		} else {
			t.Log(err)
		}
		wantStaple(t, p, "www.test", good.OCSP)
		if a := command(t, p, "show ssl cert"); a[:10] != "# filename" {
			t.Fatalf("%s: a transaction is left open:\n%s", v.name, a)
		}
	}
}

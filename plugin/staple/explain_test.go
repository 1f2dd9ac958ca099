package staple

import (
	"crypto/x509"
	"fmt"
	"strings"
	"testing"
	"time"
)

// outline is one line a step, as a person would want to read it.
func outline(steps []Step) string {
	var b strings.Builder
	for _, s := range steps {
		fmt.Fprintf(&b, "%s: %s", s.Name, s.Result)
		if s.Detail != "" {
			fmt.Fprintf(&b, ": %s", s.Detail)
		}
		b.WriteByte('\n')
	}
	return b.String()
}

func TestExplain(t *testing.T) {
	s := newScene(t, "ecdsa")
	s.leaf = certify(t, s.issuer, newKey(t, "ecdsa"), "www", func(c *x509.Certificate) { c.SerialNumber.SetInt64(0x1234) })
	d := certify(t, s.issuer, newKey(t, "ecdsa"), "Delegate", func(c *x509.Certificate) { asDelegate(c); c.ExtraExtensions = nil })
	delegated := answer{leaf: s.leaf, issuer: s.issuer, signer: d, certs: [][]byte{d.cert.Raw}, algorithm: algorithmECDSA,
		singles: []single{{status: statusRevoked(epoch.Add(-2*time.Hour), 4)}}}.der(t)
	size := len(delegated)
	strict := answer{leaf: s.leaf, issuer: s.issuer, signer: s.delegate, certs: [][]byte{s.delegate.cert.Raw}, algorithm: algorithmECDSA,
		extensions: [][]byte{extensionDER(false, octets([]byte("12345678")), 1, 3, 6, 1, 5, 5, 7, 48, 1, 2)}}.der(t)
	for _, want := range []string{"1, none critical; with a nonce, which is not compared", "; id-pkix-ocsp-nocheck: nobody need ask"} {
		if got := outline(Explain(strict, s.leaf.cert, s.issuer.cert, Options{Now: epoch})); !strings.Contains(got, want) {
			t.Errorf("no %q in\n%s", want, got)
		}
	}
	for _, c := range []struct {
		name         string
		leaf, issuer *x509.Certificate
		now          time.Time
		want         string
	}{
		{"all given", s.leaf.cert, s.issuer.cert, epoch, `encoding: ok: SIZE bytes of DER
response status: ok: successful
response type: ok: basic response, version 1
response extensions: ok: 0, none critical; no nonce
issuer: ok: "CN=Test CA" issued the certificate
certificate id: ok: serial 1234, revoked since 2026-03-01T10:00:00Z (superseded)
signature algorithm: ok: ECDSA-SHA256
signature: ok: by the key of "CN=Delegate"
signer: warning: delegate "CN=Delegate" of the issuer, which certified it for signing OCSP responses; ends 2026-05-01T12:00:00Z; delegate "CN=Delegate" lacks id-pkix-ocsp-nocheck: strict clients ask whether it was revoked
update times: ok: thisUpdate 2026-03-01T11:00:00Z, nextUpdate 2026-03-02T11:00:00Z
certificate dates: ok: ends 2026-05-01T12:00:00Z
haproxy: ok: can be stapled until 2026-03-02T10:55:00Z
`},
		{"expired", s.leaf.cert, s.issuer.cert, epoch.Add(48 * time.Hour), `update times: refused: expired: nextUpdate 2026-03-02T11:00:00Z, now 2026-03-03T12:00:00Z
certificate dates: not reached
haproxy: not reached
`},
		{"nothing but the response", nil, nil, epoch, `issuer: not reached: needs the certificate and its issuer
certificate id: warning: serial 1234, revoked since 2026-03-01T10:00:00Z (superseded); certificate or issuer not given, not compared
signature algorithm: ok: ECDSA-SHA256
signature: ok: by the key of "CN=Delegate"
signer: warning: "CN=Delegate"; issuer not given: nothing says that it let this key sign
update times: ok: thisUpdate 2026-03-01T11:00:00Z, nextUpdate 2026-03-02T11:00:00Z
certificate dates: not reached: needs the certificate
haproxy: ok: can be stapled until 2026-03-02T10:55:00Z
`},
		{"five minutes left", s.leaf.cert, s.issuer.cert, epoch.Add(23*time.Hour - 5*time.Minute), `haproxy: warning: short-lived: 5m0s to nextUpdate, HAProxy needs 10m0s
`},
		{"the issuer only", nil, s.issuer.cert, epoch, `signer: warning: delegate "CN=Delegate" of the issuer`},
	} {
		got := outline(Explain(delegated, c.leaf, c.issuer, Options{Now: c.now}))
		if want := strings.ReplaceAll(c.want, "SIZE", fmt.Sprint(size)); !strings.Contains(got, want) {
			t.Errorf("%s: got\n%s\nwant in it\n%s", c.name, got, want)
		}
	}
	if got := Explain([]byte("junk"), nil, nil, Options{Now: epoch}); len(got) != len(checks()) || got[0].Result != StepRefused || got[1].Result != StepNotReached {
		t.Errorf("junk: %v", got)
	}
}

func TestEveryReasonIsExplainedOnce(t *testing.T) {
	seen := map[Reason]bool{}
	for _, m := range Reasons() {
		if seen[m.Reason] || m.Meaning == "" || strings.ToLower(string(m.Reason)) != string(m.Reason) || strings.ContainsAny(string(m.Reason), " _") {
			t.Errorf("%+v", m)
		}
		seen[m.Reason] = true
	}
	wrapped := fmt.Errorf("outer: %w", &Refusal{Reason: Expired, Detail: "one", Err: fmt.Errorf("two")})
	if ReasonOf(wrapped) != Expired || wrapped.Error() != "outer: expired: one: two" || ReasonOf(fmt.Errorf("other")) != "" || ReasonOf(nil) != "" {
		t.Errorf("%v", wrapped)
	}
}

package staple

import (
	"crypto/x509"
	"crypto/x509/pkix"
	"slices"
	"strings"
	"testing"
	"time"
)

// lawful is a response that must be accepted although other verifiers stumble over it.
type lawful struct {
	name  string
	kind  string // key of the CA, "ecdsa" if empty
	o     Options
	build func(t *testing.T, s scene, a *answer)
	check func(t *testing.T, s scene, f *Facts)
}

func checkLawful(t *testing.T, rows []lawful) {
	for _, r := range rows {
		t.Run(r.name, func(t *testing.T) {
			s := newScene(t, r.kind)
			a := s.answer()
			r.build(t, s, &a)
			der := a.der(t)
			f, err := s.verify(der, r.o)
			if err != nil {
				t.Fatal(err)
			}
			if r.check != nil {
				r.check(t, s, f)
			}
			if again, err := s.verify(f.DER, r.o); err != nil || again.SHA256() != f.SHA256() {
				t.Errorf("the same answer again: %v", err)
			}
			steps := Explain(der, s.leaf.cert, s.issuer.cert, Options{Now: epoch, AllowSHA1Signatures: r.o.AllowSHA1Signatures, TrustedResponders: r.o.TrustedResponders})
			if len(steps) != len(checks()) || slices.Contains(results(steps), StepRefused) || slices.Contains(results(steps), StepNotReached) {
				t.Errorf("explained: %v", steps)
			}
		})
	}
}

func TestAcceptsSigners(t *testing.T) {
	delegated := func(t *testing.T, s scene, f *Facts) {
		if !f.Delegated || f.Signer.Subject.CommonName != s.delegate.cert.Subject.CommonName {
			t.Errorf("signer %q, delegated %v", f.Signer.Subject, f.Delegated)
		}
	}
	stranger := certify(t, nil, newKey(t, "ecdsa"), "Stranger", nil)
	checkLawful(t, []lawful{
		{name: "issuer", build: func(*testing.T, scene, *answer) {}},
		{name: "issuer by name", build: func(_ *testing.T, s scene, a *answer) { a.responderID = tagged(1, s.issuer.cert.RawSubject) }},
		{name: "issuer's own certificate embedded", build: func(_ *testing.T, s scene, a *answer) { a.certs = [][]byte{s.issuer.cert.Raw} }},
		{name: "an empty list of certificates", build: func(_ *testing.T, s scene, a *answer) { a.certs = [][]byte{} }},
		{name: "delegate", check: delegated, build: func(_ *testing.T, s scene, a *answer) {
			a.signer, a.certs = s.delegate, [][]byte{s.delegate.cert.Raw}
		}},
		{name: "delegate by name", check: delegated, build: func(_ *testing.T, s scene, a *answer) {
			a.signer, a.certs, a.responderID = s.delegate, [][]byte{s.delegate.cert.Raw}, tagged(1, s.delegate.cert.RawSubject)
		}},
		{name: "delegate behind an unrelated certificate and the issuer", check: delegated, build: func(_ *testing.T, s scene, a *answer) {
			a.signer, a.certs = s.delegate, [][]byte{stranger.cert.Raw, s.issuer.cert.Raw, s.delegate.cert.Raw}
		}},
		{name: "delegate before unrelated certificates", check: delegated, build: func(_ *testing.T, s scene, a *answer) {
			a.signer, a.certs = s.delegate, [][]byte{s.delegate.cert.Raw, s.leaf.cert.Raw, stranger.cert.Raw}
		}},
		{name: "an expired and a current certificate of one delegate", check: delegated, build: func(t *testing.T, s scene, a *answer) {
			old := certify(t, s.issuer, s.delegate.key, "OCSP delegate", func(c *x509.Certificate) { asDelegate(c); c.NotAfter = epoch.Add(-time.Hour) })
			a.signer, a.certs = s.delegate, [][]byte{old.cert.Raw, s.delegate.cert.Raw}
		}},
		{name: "delegate without nocheck", check: func(t *testing.T, s scene, f *Facts) {
			if len(f.Warnings) != 1 || !strings.Contains(f.Warnings[0], "nocheck") {
				t.Errorf("warnings %q", f.Warnings)
			}
		}, build: func(t *testing.T, s scene, a *answer) {
			d := certify(t, s.issuer, newKey(t, "ecdsa"), "Delegate", func(c *x509.Certificate) { asDelegate(c); c.ExtraExtensions = nil })
			a.signer, a.certs = d, [][]byte{d.cert.Raw}
		}},
		{name: "delegate with a critical nocheck and without key usage", build: func(t *testing.T, s scene, a *answer) {
			d := certify(t, s.issuer, newKey(t, "ecdsa"), "Delegate", func(c *x509.Certificate) {
				asDelegate(c)
				c.KeyUsage = 0
				c.ExtraExtensions[0].Critical = true
			})
			a.signer, a.certs = d, [][]byte{d.cert.Raw}
		}},
		{name: "trusted responder", o: Options{TrustedResponders: []*x509.Certificate{stranger.cert}}, check: func(t *testing.T, s scene, f *Facts) {
			if f.Delegated || !f.Signer.Equal(stranger.cert) {
				t.Errorf("signer %q, delegated %v", f.Signer.Subject, f.Delegated)
			}
		}, build: func(_ *testing.T, s scene, a *answer) { a.signer = stranger }},
	})
}

func TestTrustedResponderMustBeWithinItsDates(t *testing.T) {
	s := newScene(t, "ecdsa")
	old := certify(t, nil, newKey(t, "ecdsa"), "Old", func(c *x509.Certificate) { c.NotAfter = epoch.Add(-time.Hour) })
	a := s.answer()
	a.signer = old
	if _, err := s.verify(a.der(t), Options{TrustedResponders: []*x509.Certificate{old.cert}}); ReasonOf(err) != SignerDates {
		t.Errorf("got %v", err)
	}
}

func TestAcceptsAlgorithms(t *testing.T) {
	with := func(algorithm []byte) func(*testing.T, scene, *answer) {
		return func(_ *testing.T, s scene, a *answer) { a.algorithm = algorithm }
	}
	named := func(want string) func(*testing.T, scene, *Facts) {
		return func(t *testing.T, _ scene, f *Facts) {
			if f.SignatureAlgorithm != want {
				t.Errorf("algorithm %q, want %q", f.SignatureAlgorithm, want)
			}
		}
	}
	sha1 := Options{AllowSHA1Signatures: true}
	checkLawful(t, []lawful{
		{name: "ECDSA P-256", kind: "ecdsa", build: with(nil), check: named("ECDSA-SHA256")},
		{name: "ECDSA P-384", kind: "ecdsa384", build: with(algorithmECDSASHA384), check: named("ECDSA-SHA384")},
		{name: "ECDSA P-521", kind: "ecdsa521", build: with(algorithmECDSASHA512), check: named("ECDSA-SHA512")},
		{name: "RSA-PSS with SHA-384", kind: "rsa", build: with(pssAlgorithmOf(hashSHA384, 48)), check: named("RSA-PSS-SHA384")},
		{name: "RSA-PSS with SHA-512", kind: "rsa", build: with(pssAlgorithmOf(hashSHA512, 64)), check: named("RSA-PSS-SHA512")},
		{name: "RSA PKCS #1", kind: "rsa", build: with(nil), check: named("SHA256-RSA")},
		{name: "RSA PKCS #1 with SHA-512 and absent parameters", kind: "rsa", build: with(algorithmSHA512RSA), check: named("SHA512-RSA")},
		{name: "RSA PKCS #1 with SHA-384", kind: "rsa", build: with(algorithmSHA384RSA), check: named("SHA384-RSA")},
		{name: "RSA-PSS", kind: "rsa", build: with(pssAlgorithm(32)), check: named("RSA-PSS-SHA256")},
		{name: "RSA-PSS with a salt of 20", kind: "rsa", build: with(pssAlgorithm(20)), check: named("RSA-PSS-SHA256")},
		{name: "Ed25519", kind: "ed25519", build: with(nil), check: named("Ed25519")},
		{name: "SHA-1 with RSA where allowed", kind: "rsa", o: sha1, build: with(algorithmSHA1RSA), check: named("SHA1-RSA")},
		{name: "SHA-1 with ECDSA where allowed", kind: "ecdsa", o: sha1, build: with(algorithmECDSASHA1), check: named("ECDSA-SHA1")},
	})
}

func TestAcceptsEntries(t *testing.T) {
	status := func(want Status) func(*testing.T, scene, *Facts) {
		return func(t *testing.T, _ scene, f *Facts) {
			if f.Status != want {
				t.Errorf("status %q, want %q", f.Status, want)
			}
		}
	}
	entries := func(list ...single) func(*testing.T, scene, *answer) {
		return func(_ *testing.T, _ scene, a *answer) { a.singles = list }
	}
	good, unknown := single{}, single{status: statusUnknown}
	revoked := single{status: statusRevoked(epoch.Add(-2*time.Hour), 1)}
	checkLawful(t, []lawful{
		{name: "revoked", build: entries(revoked), check: func(t *testing.T, _ scene, f *Facts) {
			if f.Status != Revoked || f.RevocationReason != "keyCompromise" || !f.RevokedAt.Equal(epoch.Add(-2*time.Hour)) {
				t.Errorf("%q since %v: %q", f.Status, f.RevokedAt, f.RevocationReason)
			}
		}},
		{name: "revoked without reason", build: entries(single{status: statusRevoked(epoch, -1)}), check: status(Revoked)},
		{name: "revoked for a reason without name", build: entries(single{status: statusRevoked(epoch, 7)}), check: status(Revoked)},
		{name: "unknown", build: entries(unknown), check: status(Unknown)},
		{name: "good and revoked", build: entries(good, revoked), check: status(Revoked)},
		{name: "revoked and good", build: entries(revoked, good), check: status(Revoked)},
		{name: "good and unknown", build: entries(good, unknown), check: status(Unknown)},
		{name: "unknown, revoked and good", build: entries(unknown, revoked, good), check: status(Revoked)},
		{name: "good with two CertIDs", build: entries(good, single{hash: hashSHA256}), check: status(Good)},
		{name: "two ends, the earlier counts", build: entries(good, single{thisUpdate: epoch.Add(-23 * time.Hour)}), check: func(t *testing.T, _ scene, f *Facts) {
			if !f.NextUpdate.Equal(epoch.Add(time.Hour)) || !f.Until.Equal(f.NextUpdate) {
				t.Errorf("nextUpdate %v, until %v", f.NextUpdate, f.Until)
			}
		}},
		{name: "others' entries decide nothing", build: func(t *testing.T, s scene, a *answer) {
			a.singles = []single{{serial: s.issuer.cert.SerialNumber, status: statusRevoked(epoch, 1), extensions: [][]byte{extensionDER(true, null(), 1, 2, 3)}}, {}}
		}, check: status(Good)},
		{name: "SHA-256 CertID", build: entries(single{hash: hashSHA256}), check: status(Good)},
		{name: "SHA-384 CertID", build: entries(single{hash: hashSHA384}), check: status(Good)},
		{name: "SHA-512 CertID", build: entries(single{hash: hashSHA512}), check: status(Good)},
		{name: "nonce though none was sent", build: func(_ *testing.T, _ scene, a *answer) {
			a.extensions = [][]byte{extensionDER(false, octets([]byte("12345678")), 1, 3, 6, 1, 5, 5, 7, 48, 1, 2)}
		}, check: status(Good)},
	})
}

func TestAcceptsTimes(t *testing.T) {
	at := func(this, next time.Duration) func(*testing.T, scene, *answer) {
		return func(_ *testing.T, _ scene, a *answer) {
			a.singles = []single{{thisUpdate: epoch.Add(this), nextUpdate: tagged(0, moment(epoch.Add(next)))}}
			a.producedAt = moment(epoch.Add(this))
		}
	}
	until := func(want func(scene) time.Time) func(*testing.T, scene, *Facts) {
		return func(t *testing.T, s scene, f *Facts) {
			if !f.Until.Equal(want(s)) {
				t.Errorf("until %v, want %v", f.Until, want(s))
			}
		}
	}
	checkLawful(t, []lawful{
		{name: "thisUpdate and producedAt ahead within the skew", build: at(Skew, time.Hour)},
		{name: "one second left", build: at(-time.Hour, time.Second)},
		{name: "nextUpdate after the certificate's end", build: at(0, 365*24*time.Hour),
			check: until(func(s scene) time.Time { return s.leaf.cert.NotAfter })},
		{name: "nextUpdate after the delegate's end", build: func(t *testing.T, s scene, a *answer) {
			d := certify(t, s.issuer, newKey(t, "ecdsa"), "Delegate", func(c *x509.Certificate) { asDelegate(c); c.NotAfter = epoch.Add(time.Hour) })
			a.signer, a.certs = d, [][]byte{d.cert.Raw}
		}, check: until(func(scene) time.Time { return epoch.Add(time.Hour) })},
		{name: "no nextUpdate", build: func(_ *testing.T, _ scene, a *answer) { a.singles = []single{{nextUpdate: []byte{}}} },
			check: func(t *testing.T, s scene, f *Facts) {
				if !f.NextUpdate.IsZero() || !f.Until.Equal(s.leaf.cert.NotAfter) || len(f.Warnings) != 1 {
					t.Errorf("nextUpdate %v, until %v, warnings %q", f.NextUpdate, f.Until, f.Warnings)
				}
			}},
	})
}

// A delegate of each kind, certified by a CA of each kind.
func TestAcceptsDelegatesOfEachKind(t *testing.T) {
	algorithms := map[string][]byte{"rsa": pssAlgorithm(32), "ecdsa": nil, "ecdsa384": algorithmECDSASHA384, "ecdsa521": algorithmECDSASHA512, "ed25519": nil}
	for ca := range algorithms {
		s := newScene(t, ca)
		for kind, algorithm := range algorithms {
			d := certify(t, s.issuer, newKey(t, kind), "Delegate", asDelegate)
			a := s.answer()
			a.signer, a.certs, a.algorithm = d, [][]byte{d.cert.Raw}, algorithm
			if f, err := s.verify(a.der(t), Options{}); err != nil || !f.Delegated {
				t.Errorf("CA %s, delegate %s: %v", ca, kind, err)
			}
		}
	}
}

// A leaf with a serial number of zero bytes value or of full length must be found all the same.
func TestAcceptsOddSerials(t *testing.T) {
	for _, hex := range []string{"01", "7f", "80", "ff00000000000000000000000000000000000000"} {
		s := newScene(t, "ecdsa")
		s.leaf = certify(t, s.issuer, newKey(t, "ecdsa"), "odd", func(c *x509.Certificate) {
			c.SerialNumber.SetString(hex, 16)
			c.Subject = pkix.Name{CommonName: "odd"}
		})
		if f, err := s.verify(s.answer().der(t), Options{}); err != nil || f.Serial() != hex {
			t.Errorf("%s: %v", hex, err)
		}
	}
}

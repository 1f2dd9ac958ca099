package staple

import (
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"slices"
	"testing"
	"time"
)

// row is one lie or mistake that a responder can make.
type row struct {
	name string
	want Reason
	der  func(t *testing.T, s scene) []byte
	o    Options
}

func checkRows(t *testing.T, kind string, rows []row) {
	s := newScene(t, kind)
	for _, r := range rows {
		t.Run(r.name, func(t *testing.T) {
			if r.o.Now.IsZero() {
				r.o.Now = epoch
			}
			der := r.der(t, s)
			f, err := s.verify(der, r.o)
			if ReasonOf(err) != r.want || f != nil {
				t.Fatalf("got %v, want reason %q", err, r.want)
			}
			var refusal *Refusal
			if !errors.As(err, &refusal) || !slices.ContainsFunc(Reasons(), func(m ReasonMeaning) bool { return m.Reason == refusal.Reason }) {
				t.Errorf("%v is not a listed refusal", err)
			}
			if steps := Explain(der, s.leaf.cert, s.issuer.cert, r.o); !slices.Contains(results(steps), StepRefused) {
				t.Errorf("Explain accepts: %v", steps)
			}
		})
	}
}

func results(steps []Step) []string {
	var out []string
	for _, s := range steps {
		out = append(out, s.Result)
	}
	return out
}

// signedByDelegate is a response of a delegate that change made worse.
func signedByDelegate(t *testing.T, s scene, change func(*x509.Certificate)) []byte {
	t.Helper()
	d := certify(t, s.issuer, newKey(t, "ecdsa"), "Delegate", func(c *x509.Certificate) {
		asDelegate(c)
		change(c)
	})
	a := s.answer()
	a.signer, a.certs = d, [][]byte{d.cert.Raw}
	return a.der(t)
}

func TestRefusesWhoSigned(t *testing.T) {
	checkRows(t, "ecdsa", []row{
		{name: "bad signature", want: BadSignature, der: func(t *testing.T, s scene) []byte {
			a := s.answer()
			a.signature = sign(t, s.issuer.key, algorithmECDSA, []byte("something else"))
			return a.der(t)
		}},
		{name: "signature of another algorithm than stated", want: BadSignature, der: func(t *testing.T, s scene) []byte {
			a := s.answer()
			a.signature, a.algorithm = sign(t, s.issuer.key, algorithmECDSA, a.tbsFrom(t, s.issuer)), algorithmSHA256RSA
			return a.der(t)
		}},
		{name: "signer is a stranger who embeds himself", want: WrongSigner, der: func(t *testing.T, s scene) []byte {
			stranger := certify(t, nil, newKey(t, "ecdsa"), "Stranger", asDelegate)
			a := s.answer()
			a.signer, a.certs = stranger, [][]byte{stranger.cert.Raw}
			return a.der(t)
		}},
		{name: "signer is a stranger under the issuer's name", want: WrongSigner, der: func(t *testing.T, s scene) []byte {
			stranger := certify(t, nil, newKey(t, "ecdsa"), "Test CA", asCA)
			a := s.answer()
			a.signer, a.certs = stranger, [][]byte{stranger.cert.Raw}
			return a.der(t)
		}},
		{name: "signer not at hand", want: WrongSigner, der: func(t *testing.T, s scene) []byte {
			a := s.answer()
			a.signer = s.delegate
			return a.der(t)
		}},
		{name: "signer is the delegate of another CA of the same name", want: WrongSigner, der: func(t *testing.T, s scene) []byte {
			other := newScene(t, "ecdsa")
			a := s.answer()
			a.signer, a.certs = other.delegate, [][]byte{other.delegate.cert.Raw}
			return a.der(t)
		}},
		{name: "signer is a delegate's delegate", want: WrongSigner, der: func(t *testing.T, s scene) []byte {
			second := certify(t, s.delegate, newKey(t, "ecdsa"), "Second", asDelegate)
			a := s.answer()
			a.signer, a.certs = second, [][]byte{second.cert.Raw, s.delegate.cert.Raw}
			return a.der(t)
		}},
		{name: "signer is the delegate of a CA of another name with the issuer's key", want: WrongSigner, der: func(t *testing.T, s scene) []byte {
			renamed := certify(t, nil, s.issuer.key, "Renamed CA", asCA)
			d := certify(t, renamed, newKey(t, "ecdsa"), "Delegate", asDelegate)
			a := s.answer()
			a.signer, a.certs = d, [][]byte{d.cert.Raw}
			return a.der(t)
		}},
		{name: "signer is the certificate itself", want: DelegatePurpose, der: func(t *testing.T, s scene) []byte {
			a := s.answer()
			a.signer, a.certs = s.leaf, [][]byte{s.leaf.cert.Raw}
			return a.der(t)
		}},
		{name: "delegate without OCSPSigning", want: DelegatePurpose, der: func(t *testing.T, s scene) []byte {
			return signedByDelegate(t, s, func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth} })
		}},
		{name: "delegate with anyExtendedKeyUsage only", want: DelegatePurpose, der: func(t *testing.T, s scene) []byte {
			return signedByDelegate(t, s, func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageAny} })
		}},
		{name: "delegate being a CA", want: DelegateCA, der: func(t *testing.T, s scene) []byte {
			return signedByDelegate(t, s, func(c *x509.Certificate) { c.IsCA, c.BasicConstraintsValid = true, true })
		}},
		{name: "delegate without digitalSignature", want: DelegateKeyUsage, der: func(t *testing.T, s scene) []byte {
			return signedByDelegate(t, s, func(c *x509.Certificate) { c.KeyUsage = x509.KeyUsageKeyEncipherment })
		}},
		{name: "delegate with an empty key usage", want: DelegateKeyUsage, der: func(t *testing.T, s scene) []byte {
			return signedByDelegate(t, s, func(c *x509.Certificate) {
				c.KeyUsage = 0
				c.ExtraExtensions = append(c.ExtraExtensions, pkix.Extension{Id: []int{2, 5, 29, 15}, Critical: true, Value: []byte{3, 2, 7, 0}})
			})
		}},
		{name: "delegate expired", want: SignerDates, der: func(t *testing.T, s scene) []byte {
			return signedByDelegate(t, s, func(c *x509.Certificate) { c.NotAfter = epoch.Add(-time.Second) })
		}},
		{name: "delegate not yet valid", want: SignerDates, der: func(t *testing.T, s scene) []byte {
			return signedByDelegate(t, s, func(c *x509.Certificate) { c.NotBefore = epoch.Add(time.Second) })
		}},
		{name: "delegate with an unknown critical extension", want: DelegateExtension, der: func(t *testing.T, s scene) []byte {
			return signedByDelegate(t, s, func(c *x509.Certificate) {
				c.ExtraExtensions = append(c.ExtraExtensions, pkix.Extension{Id: []int{1, 2, 3, 4}, Critical: true, Value: null()})
			})
		}},
		{name: "ResponderID by key is not the signer's", want: ResponderID, der: func(t *testing.T, s scene) []byte {
			a := s.answer()
			a.responderID = tagged(2, octets(keyHash(t, s.delegate.cert)))
			return a.der(t)
		}},
		{name: "ResponderID by name is not the signer's", want: ResponderID, der: func(t *testing.T, s scene) []byte {
			a := s.answer()
			a.signer, a.certs = s.delegate, [][]byte{s.delegate.cert.Raw}
			a.responderID = tagged(1, s.issuer.cert.RawSubject)
			return a.der(t)
		}},
		{name: "trusted responder that did not sign", want: WrongSigner, der: func(t *testing.T, s scene) []byte {
			stranger := certify(t, nil, newKey(t, "ecdsa"), "Stranger", asDelegate)
			a := s.answer()
			a.signer, a.certs = stranger, [][]byte{stranger.cert.Raw}
			return a.der(t)
		}, o: Options{TrustedResponders: []*x509.Certificate{newScene(t, "ecdsa").delegate.cert}}},
	})
}

// tbsFrom is what answer signs when signer signs.
func (a answer) tbsFrom(t testing.TB, signer *party) []byte {
	a.signer = signer
	return a.tbs(t)
}

package testca

import (
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"time"
)

// signerFaults are answers with the wrong signature, or from the wrong signer.
func signerFaults() []fault {
	one := func(name, does string, sign func(*exchange, *Answer) error) fault {
		return fault{Fault: Fault{Name: name, Group: "refuse", Does: does}, sign: sign}
	}
	delegate := func(name, does string, change func(x *exchange, c *x509.Certificate)) fault {
		return one(name, does, func(x *exchange, a *Answer) error {
			signer, err := x.delegate(IssueOptions{}, func(c *x509.Certificate) { change(x, c) })
			return signBy(a, signer, err)
		})
	}
	return []fault{
		one("bad-signature", "spoils a bit of the signature", func(_ *exchange, a *Answer) error {
			a.BadSignature = true
			return nil
		}),
		one("sha1-signature", "signs with SHA-1, by a delegate", func(x *exchange, a *Answer) error {
			a.SignatureAlgorithm = x509.ECDSAWithSHA1
			signer, err := x.delegate(IssueOptions{}, nil)
			return signBy(a, signer, err)
		}),
		one("stranger", "signs by another CA", func(x *exchange, a *Answer) error {
			signer, err := x.stranger("a stranger")
			return signBy(a, signer, err)
		}),
		one("stranger-same-name", "signs by another CA of the same name", func(x *exchange, a *Answer) error {
			signer, err := x.stranger(x.ca.cert.Subject.CommonName)
			return signBy(a, signer, err)
		}),
		one("responder-id", "names another signer than the one that signed", func(x *exchange, a *Answer) error {
			other, err := x.stranger("another signer")
			a.Signer, a.Certificates = x.ca.key, []*x509.Certificate{}
			if err == nil {
				a.SignerCert = other.Leaf
			}
			return err
		}),
		delegate("delegate-no-purpose", "signs by a delegate that may not sign OCSP answers", func(_ *exchange, c *x509.Certificate) {
			c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
		}),
		delegate("delegate-ca", "signs by a delegate that is a CA", func(_ *exchange, c *x509.Certificate) {
			c.IsCA, c.KeyUsage = true, c.KeyUsage|x509.KeyUsageCertSign
		}),
		delegate("delegate-key-usage", "signs by a delegate without digitalSignature", func(_ *exchange, c *x509.Certificate) {
			c.KeyUsage = x509.KeyUsageKeyEncipherment
		}),
		delegate("delegate-expired", "signs by a delegate that has expired", func(x *exchange, c *x509.Certificate) {
			c.NotBefore, c.NotAfter = x.now.Add(-48*time.Hour), x.now.Add(-24*time.Hour)
		}),
		delegate("delegate-future", "signs by a delegate that is not valid yet", func(x *exchange, c *x509.Certificate) {
			c.NotBefore = x.now.Add(24 * time.Hour)
		}),
		delegate("delegate-critical", "signs by a delegate with a critical extension that nobody knows", func(_ *exchange, c *x509.Certificate) {
			c.ExtraExtensions = append(c.ExtraExtensions, unknownExtension())
		}),
	}
}

func signBy(a *Answer, signer *Issued, err error) error {
	if err == nil {
		a.Signer, a.SignerCert = signer.Key, signer.Leaf
	}
	return err
}

// unknownExtension is critical; its identifier is one for examples (RFC 5612).
func unknownExtension() pkix.Extension {
	return pkix.Extension{Id: asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 32473, 1}, Critical: true, Value: asn1.NullBytes}
}

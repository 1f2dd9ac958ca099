package testca

import (
	"crypto"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
)

// acceptableFaults are odd answers that must be accepted.
func acceptableFaults() []fault {
	one := func(name, does string, sign func(*exchange, *Answer) error) fault {
		return fault{Fault: Fault{Name: name, Group: "accept", Does: does}, sign: sign}
	}
	return []fault{
		one("issuer-embedded", "embeds the issuer's own certificate", func(x *exchange, a *Answer) error {
			a.Certificates = append(signerOf(a), x.ca.cert)
			return nil
		}),
		one("certificates", "signs by a delegate whose certificate comes last, after ones that do not matter", manyCertificates),
		one("delegate", "signs by a delegate as it should be", func(x *exchange, a *Answer) error {
			signer, err := x.delegate(IssueOptions{}, nil)
			return signBy(a, signer, err)
		}),
		one("delegate-no-nocheck", "signs by a delegate without id-pkix-ocsp-nocheck", func(x *exchange, a *Answer) error {
			signer, err := x.delegate(IssueOptions{}, func(c *x509.Certificate) { c.ExtraExtensions = nil })
			return signBy(a, signer, err)
		}),
		sameAgain(),
		one("past-certificate", "ends the answer (nextUpdate) a month after the certificate", func(x *exchange, a *Answer) error {
			if !x.expires.IsZero() {
				a.NextUpdate = x.expires.AddDate(0, 1, 0)
			}
			return nil
		}),
		one("by-key", "names the signer by the hash of its key", func(_ *exchange, a *Answer) error {
			a.ByKey = true
			return nil
		}),
		one("ed25519", "signs with Ed25519, by a delegate", func(x *exchange, a *Answer) error {
			signer, err := x.delegate(IssueOptions{Key: Ed25519}, nil)
			return signBy(a, signer, err)
		}),
		one("rsa-pss", "signs with RSA-PSS, by a delegate", func(x *exchange, a *Answer) error {
			a.SignatureAlgorithm = x509.SHA256WithRSAPSS
			signer, err := x.delegate(IssueOptions{Key: RSA}, nil)
			return signBy(a, signer, err)
		}),
		one("nonce", "adds a nonce that nobody sent; who sent another one must refuse it", func(_ *exchange, a *Answer) error {
			nonce, err := asn1.Marshal([]byte(rand.Text()[:16]))
			a.Extensions = []pkix.Extension{{Id: asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 48, 1, 2}, Value: nonce}}
			return err
		}),
		one("sha256-certid", "names the certificate by SHA-256 hashes; HAProxy cannot staple that", func(_ *exchange, a *Answer) error {
			a.Hash = crypto.SHA256
			return nil
		}),
	}
}

// signerOf is what would be embedded anyway.
func signerOf(a *Answer) []*x509.Certificate {
	if a.SignerCert == nil {
		return nil
	}
	return []*x509.Certificate{a.SignerCert}
}

func manyCertificates(x *exchange, a *Answer) error {
	signer, err := x.delegate(IssueOptions{}, nil)
	if err := signBy(a, signer, err); err != nil {
		return err
	}
	stranger, err := newStranger("a stranger", x.ca.now)
	if err != nil {
		return err
	}
	a.Certificates = []*x509.Certificate{stranger.Leaf, x.ca.cert, stranger.Leaf, signer.Leaf}
	return nil
}

// sameAgain keeps the first answer for each serial number.
func sameAgain() fault {
	f := fault{Fault: Fault{Name: "same", Group: "accept", Does: "gives the same bytes each time it is asked for a certificate"}}
	f.change = func(x *exchange) error {
		if x.expires.IsZero() {
			return nil // not one of ours: of those there is no end
		}
		x.mu.Lock()
		defer x.mu.Unlock()
		key := formatSerial(x.serial)
		if first, ok := x.sent[key]; ok {
			x.page = first
		}
		x.sent[key] = x.page
		return nil
	}
	return f
}

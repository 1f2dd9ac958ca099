package staple

import (
	"bytes"
	"crypto"
	"crypto/x509"
	"errors"
	"fmt"
)

// CheckIssuer returns nil if issuer issued leaf: its subject is, byte for byte, the leaf's issuer, it does not say
// of itself that it is no CA, and its key verifies the leaf's signature. Dates and trust are not looked at. SHA-1
// is taken here, because the signature only tells which of the operator's certificates belong together.
func CheckIssuer(leaf, issuer *x509.Certificate) error {
	switch {
	case leaf == nil || issuer == nil:
		return errors.New("issuer: needs a certificate and its issuer")
	case !bytes.Equal(leaf.RawIssuer, issuer.RawSubject):
		return fmt.Errorf("issuer %q: the certificate was issued by %q", issuer.Subject, leaf.Issuer)
	case issuer.BasicConstraintsValid && !issuer.IsCA && !bytes.Equal(leaf.Raw, issuer.Raw):
		return fmt.Errorf("issuer %q: not a CA certificate", issuer.Subject)
	}
	if _, err := signedBy(leaf, issuer); err != nil {
		return fmt.Errorf("issuer %q: its key did not sign the certificate: %w", issuer.Subject, err)
	}
	return nil
}

// FindIssuer returns the candidate that passes CheckIssuer, or nil. Of several, such as a renewed CA certificate
// with the same key, it is the one that ends last. Candidates of the right name with another key are passed over.
func FindIssuer(leaf *x509.Certificate, candidates []*x509.Certificate) *x509.Certificate {
	if p := FindPair(leaf, candidates); p != nil {
		return p.issuer
	}
	return nil
}

// FindPair is FindIssuer, whose proof the Pair remembers; nil where there is no issuer.
func FindPair(leaf *x509.Certificate, candidates []*x509.Certificate) *Pair {
	var best *Pair
	for _, c := range candidates {
		p, err := Prove(leaf, c)
		if err == nil && (best == nil || c.NotAfter.After(best.issuer.NotAfter)) {
			best = p
		}
	}
	return best
}

// signedBy checks the signature on c with the key of issuer and returns its hash, 0 for Ed25519.
func signedBy(c, issuer *x509.Certificate) (crypto.Hash, error) {
	signed, algorithm, sig, err := certificateSignature(c)
	if err != nil {
		return 0, err
	}
	return algorithm.hash, algorithm.verify(issuer, signed, sig)
}

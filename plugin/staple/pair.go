package staple

import (
	"crypto/x509"
	"sync/atomic"
)

// Pair is a certificate beside what is said to be its issuer. The first Verify that gets there proves that the
// issuer signed the certificate, as CheckIssuer does; the Pair remembers it, so that each further response costs the
// check of its own signature alone. There is no way to make a Pair that skips the proof: where it failed, it is
// tried again each time. Safe for concurrent use. The two certificates must not be changed.
type Pair struct {
	leaf, issuer *x509.Certificate // either may be nil when explaining only
	proven       atomic.Bool
}

// NewPair keeps the two together. It checks nothing yet and never fails; without one of them Verify refuses.
func NewPair(leaf, issuer *x509.Certificate) *Pair { return &Pair{leaf: leaf, issuer: issuer} }

// Verify judges a DER response for the pair's certificate at o.Now, as the function Verify does.
func (p *Pair) Verify(der []byte, o Options) (*Facts, error) {
	if p == nil || p.leaf == nil || p.issuer == nil {
		return nil, &Refusal{Reason: WrongIssuer, Detail: "needs a certificate and its issuer"}
	}
	j := newJudgement(der, p, o)
	if refusal := j.run(); refusal != nil {
		return nil, refusal
	}
	return j.facts(), nil
}

// prove returns nil if the issuer issued the certificate.
func (p *Pair) prove() error {
	if p.proven.Load() {
		return nil
	}
	if err := CheckIssuer(p.leaf, p.issuer); err != nil {
		return err
	}
	p.proven.Store(true)
	return nil
}

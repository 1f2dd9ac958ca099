package staple

import (
	"bytes"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"sync/atomic"
)

// Pair is a certificate beside what is said to be its issuer. The first Verify that gets there proves that the
// issuer signed the certificate, as CheckIssuer does; the Pair remembers it, so that each further response costs the
// check of its own signature alone. There is no way to make a Pair that skips the proof: where it failed, it is
// tried again each time. Safe for concurrent use. The two certificates must not be changed.
type Pair struct {
	leaf, issuer *x509.Certificate // either may be nil when explaining only
	proven       atomic.Bool
	strict       atomic.Bool // the issuer's certificate has the form that parseEmbedded wants
}

// NewPair keeps the two together. It checks nothing yet and never fails; without one of them Verify refuses.
func NewPair(leaf, issuer *x509.Certificate) *Pair { return &Pair{leaf: leaf, issuer: issuer} }

// PairPEM is a certificate and then its issuer in PEM, from their DER. It checks nothing.
func PairPEM(leaf, issuer []byte) []byte {
	var b bytes.Buffer
	for _, der := range [][]byte{leaf, issuer} {
		b.Write(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
	}
	return b.Bytes()
}

// ParsePair reads what [PairPEM] wrote, of the certificate of this id, and checks that the issuer's key signed it.
func ParsePair(b []byte, id string) (*Pair, error) {
	list, err := ParseCertificates(b)
	switch {
	case err != nil:
		return nil, err
	case len(list) != 2 || ID(list[0]) != id:
		return nil, errors.New("it holds not this certificate and its issuer")
	}
	if err := CheckIssuer(list[0], list[1]); err != nil {
		return nil, err
	}
	return NewPair(list[0], list[1]), nil
}

// Prove is the Pair of a certificate and its issuer, proven now: for whoever has to know before there is a response.
func Prove(leaf, issuer *x509.Certificate) (*Pair, error) {
	p := NewPair(leaf, issuer)
	if err := p.prove(); err != nil {
		return nil, err
	}
	return p, nil
}

// On is the Pair of the same two certificates in other memory. What was proven of p counts for it; where a byte of the
// certificates differs, or p is nil, it is a new Pair of which nothing is proven.
func (p *Pair) On(leaf, issuer *x509.Certificate) *Pair {
	switch {
	case p != nil && p.leaf == leaf && p.issuer == issuer:
		return p
	case p == nil || !same(p.leaf, leaf) || !same(p.issuer, issuer):
		return NewPair(leaf, issuer)
	}
	moved := NewPair(leaf, issuer)
	moved.proven.Store(p.proven.Load())
	return moved
}

func same(a, b *x509.Certificate) bool {
	return a == b || a != nil && b != nil && len(a.Raw) > 0 && a.Equal(b)
}

// Leaf is the certificate.
func (p *Pair) Leaf() *x509.Certificate { return p.leaf }

// Issuer is what is said to be its issuer.
func (p *Pair) Issuer() *x509.Certificate { return p.issuer }

// Verify judges a DER response for the pair's certificate at o.Now, as the function Verify does.
func (p *Pair) Verify(der []byte, o Options) (*Facts, error) {
	if p == nil || p.leaf == nil || p.issuer == nil {
		return nil, &Refusal{Reason: WrongIssuer, Detail: "needs a certificate and its issuer"}
	}
	j := newJudgement(der, p, o)
	defer j.done()
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

// parse reads a certificate of a response. The issuer's own, which many responders send along, is at hand already.
func (p *Pair) parse(der []byte) (*x509.Certificate, error) {
	if p == nil || p.issuer == nil || !bytes.Equal(der, p.issuer.Raw) {
		return delegates.parse(der)
	}
	if !p.strict.Load() {
		if err := checkForm(der); err != nil {
			return nil, err
		}
		p.strict.Store(true)
	}
	return p.issuer, nil
}

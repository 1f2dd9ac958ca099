package staple

import (
	"crypto/x509"
	"math/big"
	"time"
)

// Brief is what has to be known of a certificate to ask for its responses and to judge them, in a small part of the
// memory that the certificate takes. There is one only of a certificate whose issuer was proven to have signed it.
// It does not change.
type Brief struct {
	issuer              *x509.Certificate
	serial              string // big-endian, and negative where minus says so
	minus               bool
	notBefore, notAfter int64 // in seconds since 1970, the finest that a certificate has
}

// Brief is p in brief, or why the issuer is not that of the certificate.
func (p *Pair) Brief() (Brief, error) {
	if err := p.prove(); err != nil {
		return Brief{}, err
	}
	n := p.leaf.SerialNumber
	return Brief{
		issuer: p.issuer, serial: string(n.Bytes()), minus: n.Sign() < 0,
		notBefore: p.leaf.NotBefore.Unix(), notAfter: p.leaf.NotAfter.Unix(),
	}, nil
}

// Issuer is the certificate's issuer.
func (b *Brief) Issuer() *x509.Certificate { return b.issuer }

// NotBefore is the certificate's.
func (b *Brief) NotBefore() time.Time { return time.Unix(b.notBefore, 0).UTC() }

// NotAfter is the certificate's.
func (b *Brief) NotAfter() time.Time { return time.Unix(b.notAfter, 0).UTC() }

// Pair is a pair that judges responses as the one before it did. Its certificate has a serial number, dates and the
// name of its issuer, and nothing else.
func (b *Brief) Pair() *Pair {
	p := NewPair(b.leaf(), b.issuer)
	p.proven.Store(true)
	return p
}

// Request is what NewRequest makes of the certificate.
func (b *Brief) Request() ([]byte, error) { return NewRequest(b.leaf(), b.issuer) }

func (b *Brief) leaf() *x509.Certificate {
	serial := new(big.Int).SetBytes([]byte(b.serial))
	if b.minus {
		serial.Neg(serial)
	}
	return &x509.Certificate{
		SerialNumber: serial, NotBefore: b.NotBefore(), NotAfter: b.NotAfter(), Issuer: b.issuer.Subject, RawIssuer: b.issuer.RawSubject,
	}
}

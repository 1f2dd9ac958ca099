package fetcher

import (
	"crypto/rsa"
	"crypto/x509"
	"errors"
	"fmt"
	"time"

	"github.com/consul-ocsp/consul-ocsp/plugin/record"
	"github.com/consul-ocsp/consul-ocsp/plugin/staple"
)

const (
	// maxAnnouncedDER is the largest certificate that is taken, in bytes.
	maxAnnouncedDER = 32 << 10
	// maxAnnouncedRSA is the longest RSA key, in bits: time to verify grows
	// with it, and any node can announce one.
	maxAnnouncedRSA = 8192
)

// announced judges a certificate that some node announced under id: the id is
// the hash of the leaf, the issuer signed the leaf, the leaf has not ended, and
// if there are trustedIssuers, it chains to one of them. The pair is proven: the
// first response costs no more than the next ones.
func announced(id string, c record.Certificate, trustedIssuers []*x509.Certificate, now time.Time) (*staple.Pair, error) {
	if !staple.ValidID(id) {
		return nil, fmt.Errorf("announced certificate: %.80q is not an id", id)
	}
	pair, err := provenPair(id, c, trustedIssuers, now)
	if err != nil {
		return nil, fmt.Errorf("announced certificate %s: %w", id, err)
	}
	return pair, nil
}

func provenPair(id string, c record.Certificate, trusted []*x509.Certificate, now time.Time) (*staple.Pair, error) {
	leaf, err := announcedDER("leaf", c.Leaf)
	if err != nil {
		return nil, err
	}
	issuer, err := announcedDER("issuer", c.Issuer)
	if err != nil {
		return nil, err
	}
	switch {
	case staple.ID(leaf) != id:
		return nil, fmt.Errorf("its leaf has the id %s", staple.ID(leaf))
	case now.After(leaf.NotAfter):
		return nil, fmt.Errorf("ended %s", leaf.NotAfter.UTC().Format(time.RFC3339))
	}
	pair, err := staple.Prove(leaf, issuer)
	if err != nil {
		return nil, err
	}
	return pair, checkTrusted(leaf, issuer, trusted, now)
}

func announcedDER(what string, der []byte) (*x509.Certificate, error) {
	if len(der) == 0 || len(der) > maxAnnouncedDER {
		return nil, fmt.Errorf("%s of %d bytes; 1 to %d are taken", what, len(der), maxAnnouncedDER)
	}
	c, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", what, err)
	}
	if key, ok := c.PublicKey.(*rsa.PublicKey); ok && key.N.BitLen() > maxAnnouncedRSA {
		return nil, fmt.Errorf("%s: RSA key of %d bits, more than %d", what, key.N.BitLen(), maxAnnouncedRSA)
	}
	return c, nil
}

// checkTrusted holds a chain against trusted_issuers, which may name the issuer
// itself or any CA above it.
func checkTrusted(leaf, issuer *x509.Certificate, trusted []*x509.Certificate, now time.Time) error {
	if len(trusted) == 0 {
		return nil
	}
	roots, between := x509.NewCertPool(), x509.NewCertPool()
	for _, c := range trusted {
		roots.AddCert(c)
	}
	between.AddCert(issuer)
	// What the leaf's extensions mean is for its users; here only who issued
	// it counts.
	plain := *leaf
	plain.UnhandledCriticalExtensions = nil
	_, err := plain.Verify(x509.VerifyOptions{
		Roots: roots, Intermediates: between, CurrentTime: now, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny},
	})
	if err != nil {
		return errors.Join(errors.New("does not chain to trusted_issuers"), err)
	}
	return nil
}

// Package issuer finds the issuer of a certificate whose PEM and folder do not
// have it: through the URLs of its authority information access (RFC 5280 section
// 4.2.2.1), once, and then from where it was kept.
package issuer

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"

	"github.com/consul-ocsp/consul-ocsp/plugin/responder"
	"github.com/consul-ocsp/consul-ocsp/plugin/staple"
)

// Store keeps issuers by the id of the certificate that they issued.
type Store interface {
	Issuer(id string) (der []byte, found bool, err error)
	PutIssuer(id string, der []byte) error
}

// Finder finds issuers. It is safe for concurrent use, as its parts are.
type Finder struct {
	Store  Store             // may be nil
	Client *responder.Client // may be nil for Kept alone
}

// Find is the issuer of leaf, which is one of this node's files: so its URLs may
// name private addresses. how says the rest of how they are asked. What was
// downloaded or kept is believed only when its key verifies the leaf's signature.
func (f Finder) Find(ctx context.Context, leaf *x509.Certificate, how responder.IssuerRequest) (*x509.Certificate, error) {
	id := staple.ID(leaf)
	if issuer := f.Kept(id, leaf); issuer != nil {
		return issuer, nil
	}
	if len(leaf.IssuingCertificateURL) == 0 {
		return nil, errors.New("the issuer is neither in the PEM nor in a .issuer file beside it, and the certificate has no URL for it: append the issuer to the PEM, or set issuer")
	}
	how.Guard.AllowPrivate = true
	var failures []error
	for _, url := range leaf.IssuingCertificateURL {
		how.URL = url
		candidates, err := f.Client.Issuer(ctx, how)
		if err != nil {
			failures = append(failures, err)
			continue
		}
		issuer := staple.FindIssuer(leaf, candidates)
		if issuer == nil {
			failures = append(failures, fmt.Errorf("%s gives a certificate that did not issue this one", url))
			continue
		}
		if f.Store != nil {
			// Not kept is asked again next time, no more.
			_ = f.Store.PutIssuer(id, issuer.Raw)
		}
		return issuer, nil
	}
	return nil, fmt.Errorf("the issuer is neither in the PEM nor in a .issuer file, and could not be downloaded: %w", errors.Join(failures...))
}

// Kept is the issuer of leaf that was found before; nil where there is none.
func (f Finder) Kept(id string, leaf *x509.Certificate) *x509.Certificate {
	if f.Store == nil {
		return nil
	}
	der, found, err := f.Store.Issuer(id)
	if err != nil || !found {
		return nil
	}
	issuer, err := x509.ParseCertificate(der)
	if err != nil || staple.CheckIssuer(leaf, issuer) != nil {
		return nil
	}
	return issuer
}

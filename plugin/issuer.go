package plugin

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"

	"github.com/consul-ocsp/consul-ocsp/plugin/responder"
	"github.com/consul-ocsp/consul-ocsp/plugin/staple"
	"github.com/consul-ocsp/consul-ocsp/plugin/store"
)

// issuers finds the issuer of a certificate whose PEM and folder do not have
// it: through the URLs of its authority information access (RFC 5280 section
// 4.2.2.1), once, and then from data_dir, if there is one.
type issuers struct {
	store  *store.Store // may be nil
	client *responder.Client
}

// find is the issuer of leaf. What was downloaded or kept is believed only
// when its key verifies the leaf's signature.
func (i issuers) find(ctx context.Context, leaf *x509.Certificate, f fetch) (*x509.Certificate, error) {
	id := staple.ID(leaf)
	if issuer := i.kept(id, leaf); issuer != nil {
		return issuer, nil
	}
	if len(leaf.IssuingCertificateURL) == 0 {
		return nil, errors.New("the issuer is neither in the PEM nor in a .issuer file beside it, and the certificate has no URL for it: append the issuer to the PEM, or set issuer")
	}
	var failures []error
	for _, url := range leaf.IssuingCertificateURL {
		candidates, err := i.client.Issuer(ctx, responder.IssuerRequest{
			URL: url, Timeout: f.settings.Timeout, Proxy: f.settings.Proxy,
			Guard: responder.Guard{
				AllowPrivate: true, AllowPrivateAddresses: f.settings.AllowPrivateAddresses,
				AllowedResponders: f.settings.AllowedResponders,
			},
		})
		if err != nil {
			failures = append(failures, err)
			continue
		}
		issuer := staple.FindIssuer(leaf, candidates)
		if issuer == nil {
			failures = append(failures, fmt.Errorf("%s gives a certificate that did not issue this one", url))
			continue
		}
		if i.store != nil {
			// Not kept is asked again next time, no more.
			_ = i.store.PutIssuer(id, issuer.Raw)
		}
		return issuer, nil
	}
	return nil, fmt.Errorf("the issuer is neither in the PEM nor in a .issuer file, and could not be downloaded: %w", errors.Join(failures...))
}

func (i issuers) kept(id string, leaf *x509.Certificate) *x509.Certificate {
	if i.store == nil {
		return nil
	}
	der, found, err := i.store.Issuer(id)
	if err != nil || !found {
		return nil
	}
	issuer, err := x509.ParseCertificate(der)
	if err != nil || staple.CheckIssuer(leaf, issuer) != nil {
		return nil
	}
	return issuer
}

package plugin

import (
	"context"
	"crypto/sha1"
	"crypto/x509"
	"errors"
	"io/fs"
	"slices"

	"github.com/consul-ocsp/consul-ocsp/plugin/issuer"
	"github.com/consul-ocsp/consul-ocsp/plugin/regularfile"
	"github.com/consul-ocsp/consul-ocsp/plugin/responder"
	"github.com/consul-ocsp/consul-ocsp/plugin/staple"
)

// read reads the certificate, and the chain in its .issuer file and its PEM.
func (u *update) read(context.Context) error {
	data, _, err := regularfile.Read(u.Certificate, staple.MaxPEM)
	if err != nil {
		return failedAt(StageCertificate, "%w", err)
	}
	bundle, err := staple.ParseBundle(data)
	switch {
	case err != nil && errors.Unwrap(err) != nil: // a whole block, and no certificate in it
		return failedAt(StageCertificate, "%s: %w", u.Certificate, err)
	case err != nil:
		return failedAt(StageForm, "%s: %w", u.Certificate, err)
	}
	u.got.Leaf, u.inPEM = bundle.Leaf, bundle.Others
	u.Tell("certificate: %s, SHA-1 fingerprint %X", bundle.Leaf.Subject, sha1.Sum(bundle.Leaf.Raw))
	beside, _, err := regularfile.Read(u.Certificate+".issuer", staple.MaxPEM)
	if err == nil {
		list, err := staple.ParseCertificates(beside)
		if err != nil {
			return failedAt(StageForm, "%s.issuer: %w", u.Certificate, err)
		}
		u.Tell("issuer: %s.issuer is there, with %d certificates", u.Certificate, len(list))
		u.got.Chain = list
	} else if !errors.Is(err, fs.ErrNotExist) {
		return failedAt(StageCertificate, "%w", err)
	}
	for _, c := range bundle.Others {
		if !slices.ContainsFunc(u.got.Chain, c.Equal) {
			u.got.Chain = append(u.got.Chain, c)
		}
	}
	return nil
}

// findIssuer finds the issuer in the chain, else behind the certificate's own
// URL for it, and puts it first.
func (u *update) findIssuer(ctx context.Context) error {
	leaf := u.got.Leaf
	u.got.Issuer = staple.FindIssuer(leaf, u.got.Chain)
	if u.got.Issuer == nil {
		found, err := issuer.Finder{Client: u.client}.Find(ctx, leaf, responder.IssuerRequest{Proxy: u.Proxy})
		if err != nil {
			return failedAt(StageCertificate, "%s: %w", u.Certificate, err)
		}
		u.Tell("issuer: downloaded from %q", leaf.IssuingCertificateURL)
		u.got.Issuer = found
	}
	chain := []*x509.Certificate{u.got.Issuer}
	for _, c := range u.got.Chain {
		if !c.Equal(u.got.Issuer) {
			chain = append(chain, c)
		}
	}
	u.got.Chain = chain
	for i, c := range chain {
		u.Tell("chain %d: %s, SHA-1 fingerprint %X", i+1, c.Subject, sha1.Sum(c.Raw))
	}
	return nil
}

// findSigners reads who else may sign.
func (u *update) findSigners(context.Context) error {
	switch u.TrustedSigners {
	case "":
		return nil
	case "-":
		u.got.Signers = u.got.Chain
		return nil
	}
	data, _, err := regularfile.Read(u.TrustedSigners, staple.MaxPEM)
	if err != nil {
		return failedAt(StageCertificate, "trusted signers: %w", err)
	}
	if u.got.Signers, err = staple.ParseCertificates(data); err != nil {
		return failedAt(StageForm, "trusted signers: %s: %w", u.TrustedSigners, err)
	}
	return nil
}

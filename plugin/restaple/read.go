package restaple

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
func (r *run) read(context.Context) error {
	data, _, err := regularfile.Read(r.Certificate, staple.MaxPEM)
	if err != nil {
		return failedAt(StageCertificate, "%w", err)
	}
	bundle, err := staple.ParseBundle(data)
	switch {
	case err != nil && errors.Unwrap(err) != nil: // a whole block, and no certificate in it
		return failedAt(StageCertificate, "%s: %w", r.Certificate, err)
	case err != nil:
		return failedAt(StageForm, "%s: %w", r.Certificate, err)
	}
	r.got.Leaf, r.inPEM = bundle.Leaf, bundle.Others
	r.Tell("certificate: %s, SHA-1 fingerprint %X", bundle.Leaf.Subject, sha1.Sum(bundle.Leaf.Raw))
	beside, _, err := regularfile.Read(r.Certificate+".issuer", staple.MaxPEM)
	if err == nil {
		list, err := staple.ParseCertificates(beside)
		if err != nil {
			return failedAt(StageForm, "%s.issuer: %w", r.Certificate, err)
		}
		r.Tell("issuer: %s.issuer is there, with %d certificates", r.Certificate, len(list))
		r.got.Chain = list
	} else if !errors.Is(err, fs.ErrNotExist) {
		return failedAt(StageCertificate, "%w", err)
	}
	for _, c := range bundle.Others {
		if !slices.ContainsFunc(r.got.Chain, c.Equal) {
			r.got.Chain = append(r.got.Chain, c)
		}
	}
	return nil
}

// findIssuer finds the issuer in the chain, else behind the certificate's own
// URL for it, and puts it first.
func (r *run) findIssuer(ctx context.Context) error {
	leaf := r.got.Leaf
	r.got.Issuer = staple.FindIssuer(leaf, r.got.Chain)
	if r.got.Issuer == nil {
		found, err := issuer.Finder{Client: r.client}.Find(ctx, leaf, responder.IssuerRequest{Proxy: r.Proxy})
		if err != nil {
			return failedAt(StageCertificate, "%s: %w", r.Certificate, err)
		}
		r.Tell("issuer: downloaded from %q", leaf.IssuingCertificateURL)
		r.got.Issuer = found
	}
	chain := []*x509.Certificate{r.got.Issuer}
	for _, c := range r.got.Chain {
		if !c.Equal(r.got.Issuer) {
			chain = append(chain, c)
		}
	}
	r.got.Chain = chain
	for i, c := range chain {
		r.Tell("chain %d: %s, SHA-1 fingerprint %X", i+1, c.Subject, sha1.Sum(c.Raw))
	}
	return nil
}

// findSigners reads who else may sign.
func (r *run) findSigners(context.Context) error {
	switch r.TrustedSigners {
	case "":
		return nil
	case "-":
		r.got.Signers = r.got.Chain
		return nil
	}
	data, _, err := regularfile.Read(r.TrustedSigners, staple.MaxPEM)
	if err != nil {
		return failedAt(StageCertificate, "trusted signers: %w", err)
	}
	if r.got.Signers, err = staple.ParseCertificates(data); err != nil {
		return failedAt(StageForm, "trusted signers: %s: %w", r.TrustedSigners, err)
	}
	return nil
}

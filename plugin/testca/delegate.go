package testca

import (
	"crypto"
	"crypto/x509"
	"fmt"
	"path/filepath"
	"slices"
)

// delegateName is the common name of the delegate, and of its file.
const delegateName = "ocsp-signer"

// Delegate issues the certificate of an OCSP signer, which may sign answers in
// the CA's place: with id-kp-OCSPSigning and id-pkix-ocsp-nocheck (RFC 6960,
// 4.2.2.2). It is put into DIR/ocsp-signer.pem, in place of an older one; its key
// is encrypted where the CA's is. Of o, Delegate, File and Password do not
// matter.
func (c *CA) Delegate(o IssueOptions) (*Issued, error) {
	o.Delegate, o.File, o.Password = true, "", c.password
	return c.Issue([]string{delegateName}, o)
}

// OpenDelegate reads what Delegate, or anybody, put into DIR/ocsp-signer.pem: a
// certificate of this CA that may sign answers, and its key.
func (c *CA) OpenDelegate() (*x509.Certificate, crypto.Signer, error) {
	path := filepath.Join(c.dir, delegateName+".pem")
	text, err := readFile(path)
	if err != nil {
		return nil, nil, err
	}
	cert, err := firstCertificate(text)
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w", path, err)
	}
	key, err := decodeKey(text, c.password)
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w", path, err)
	}
	switch {
	case !isKeyOf(key, cert):
		return nil, nil, fmt.Errorf("%s: the key is not that of the certificate", path)
	case cert.CheckSignatureFrom(c.cert) != nil:
		return nil, nil, fmt.Errorf("%s: not issued by the CA in %s", path, c.dir)
	case !slices.Contains(cert.ExtKeyUsage, x509.ExtKeyUsageOCSPSigning):
		return nil, nil, fmt.Errorf("%s: the certificate may not sign OCSP answers (id-kp-OCSPSigning)", path)
	}
	return cert, key, nil
}

func isKeyOf(key crypto.Signer, cert *x509.Certificate) bool {
	public, ok := key.Public().(interface{ Equal(crypto.PublicKey) bool })
	return ok && public.Equal(cert.PublicKey)
}

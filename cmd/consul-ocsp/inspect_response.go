package main

import (
	"crypto/sha256"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"slices"

	"github.com/consul-ocsp/consul-ocsp/plugin/staple"
)

// response verifies a response in the open.
func (i inspection) response(der []byte, certPath string) int {
	h, err := i.certificateFor(certPath)
	if err != nil {
		return i.unreadable(err)
	}
	var leaf, issuer *x509.Certificate
	fmt.Fprintf(i.stdout, "OCSP response %s\n", printable(i.path))
	t := newTable(i.stdout)
	t.row("size", fmt.Sprintf("%d bytes", len(der)))
	t.row("sha256", fmt.Sprintf("%x", sha256.Sum256(der)))
	if h == nil {
		t.row("certificate", "not found; give it with -cert")
		if issuer, err = i.issuerAlone(); err != nil {
			return i.unreadable(err)
		}
	} else {
		leaf = h.leaf
		var where string
		if issuer, where, err = h.issuer(i.issuerPath); err != nil {
			return i.unreadable(err)
		}
		t.row("certificate", fmt.Sprintf("%s (in %s)", leaf.Subject, h.path))
		t.row("id", staple.ID(leaf))
		t.row("serial", serialOf(leaf))
		t.row("issuer", fmt.Sprintf("%s (%s)", leaf.Issuer, where))
	}
	o := staple.Options{Now: i.now, TrustedResponders: i.trusted}
	facts, refusal := staple.Verify(der, leaf, issuer, o)
	if refusal == nil {
		i.facts(t, facts, issuer)
	}
	t.flush()
	i.steps(staple.Explain(der, leaf, issuer, o))
	return i.verdict(facts, refusal, h, issuer)
}

// certificateFor reads the certificate that the response is for; nil where none
// was given and none is beside the response.
func (i inspection) certificateFor(named string) (*held, error) {
	if named != "" {
		return readHeld(named)
	}
	for _, path := range besideResponse(i.path) {
		h, err := readHeld(path)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		return h, err
	}
	return nil, nil
}

// issuerAlone is the issuer where there is no certificate to find it for.
func (i inspection) issuerAlone() (*x509.Certificate, error) {
	if i.issuerPath == "" {
		return nil, nil
	}
	list, err := readCertificates(i.issuerPath)
	if err != nil {
		return nil, err
	}
	return list[0], nil
}

// facts shows what a verified response says.
func (i inspection) facts(t *table, f *staple.Facts, issuer *x509.Certificate) {
	t.row("status", string(f.Status))
	t.row("revoked at", moment(f.RevokedAt, i.now))
	t.row("reason", f.RevocationReason)
	life(t, f, i.now)
	if signer := f.Signer; !signer.Equal(issuer) && slices.ContainsFunc(i.trusted, signer.Equal) {
		t.row("signer", signer.Subject.String()+" (trusted)")
	} else {
		t.row("signer", signerOf(f))
	}
	t.row("signature", f.SignatureAlgorithm)
}

func signerOf(f *staple.Facts) string {
	if f.Delegated {
		return f.Signer.Subject.String() + " (a delegate of the issuer)"
	}
	return f.Signer.Subject.String() + " (the issuer)"
}

func (i inspection) steps(steps []staple.Step) {
	fmt.Fprintln(i.stdout, "verification")
	t := newTable(i.stdout)
	for _, s := range steps {
		detail := s.Detail
		if detail == "" {
			detail = "-"
		}
		t.row(s.Result, s.Name, detail)
	}
	t.flush()
}

// verdict is the last line, and the exit code.
func (i inspection) verdict(f *staple.Facts, refusal error, h *held, issuer *x509.Certificate) int {
	switch {
	case h == nil:
		fmt.Fprintln(i.stdout, "not verified: the certificate is needed")
		return exitFailed
	case issuer == nil:
		fmt.Fprintln(i.stdout, "not verified: the issuer's certificate is needed")
		return exitFailed
	case refusal != nil:
		fmt.Fprintf(i.stdout, "refused: %s\n", printable(refusal.Error()))
		return exitFailed
	}
	if err := f.FitsHAProxy(i.now); err != nil {
		fmt.Fprintf(i.stdout, "verified: %s; HAProxy would not staple it: %s\n", f.Status, printable(err.Error()))
		return exitOK
	}
	fmt.Fprintf(i.stdout, "verified: %s; HAProxy would staple it\n", f.Status)
	return exitOK
}

package testca

import (
	"crypto/x509"
	"os"
	"path/filepath"
	"testing"
	"time"
)

func TestADelegateSigns(t *testing.T) {
	t.Parallel()
	c := newCA(t, InitOptions{})
	_, _, err := c.OpenDelegate()
	wantError(t, err, "ocsp-signer.pem")
	made, err := c.Delegate(IssueOptions{Key: ECDSA384, NotAfter: time.Now().AddDate(0, 1, 0)})
	if err != nil {
		t.Fatal(err)
	}
	cert, key, err := c.OpenDelegate()
	if err != nil || !cert.Equal(made.Leaf) {
		t.Fatalf("%v: %v", cert, err)
	}
	wantLines(t, openssl(t, c.Dir(), "x509", "-in", "ocsp-signer.pem", "-noout", "-text"), "OCSP Signing", "OCSP No Check", "Digital Signature\n")
	leaf := issue(t, c, IssueOptions{}, "www.example.com").Leaf
	r := ask(t, serve(t, c, ResponderOptions{Signer: key, SignerCert: cert}), c, leaf)
	if r.Certificate == nil || !r.Certificate.Equal(cert) {
		t.Errorf("signed by %v", r.Certificate)
	}
	// openssl serves with it, too.
	serial := "0x" + formatSerial(leaf.SerialNumber)
	openssl(t, c.Dir(), "ocsp", "-issuer", "ca.pem", "-serial", serial, "-no_nonce", "-reqout", "request.der")
	openssl(t, c.Dir(), "ocsp", "-index", "index.txt", "-CA", "ca.pem", "-rsigner", "ocsp-signer.pem", "-reqin", "request.der", "-respout", "answer.der", "-nmin", "60")
	wantLines(t, openssl(t, c.Dir(), "ocsp", "-respin", "answer.der", "-issuer", "ca.pem", "-serial", serial, "-CAfile", "ca.pem", "-no_nonce"), "Response verify OK", ": good")
}

func TestOpenDelegateRefuses(t *testing.T) {
	t.Parallel()
	c, other := newCA(t, InitOptions{}), newCA(t, InitOptions{})
	path := filepath.Join(c.Dir(), "ocsp-signer.pem")
	issue(t, c, IssueOptions{}, "ocsp-signer")
	_, _, err := c.OpenDelegate()
	wantError(t, err, path, "may not sign OCSP answers")
	theirs, err := other.Delegate(IssueOptions{File: "ignored"})
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(theirs.Path)
	if err != nil {
		t.Fatal(err)
	}
	for want, content := range map[string][]byte{
		"not issued by the CA":        text,
		"no certificate found":        nil,
		"no private key found":        encodeCertificate(theirs.Leaf),
		"not that of the certificate": append(encodeCertificate(c.Certificate()), text...),
	} {
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
		_, _, err := c.OpenDelegate()
		wantError(t, err, path, want)
	}
}

// TestTheParentKnowsTheCABelow asks the parent's responder for the intermediate
// CA, and revokes it.
func TestTheParentKnowsTheCABelow(t *testing.T) {
	t.Parallel()
	root := newCA(t, InitOptions{})
	url := serve(t, root, ResponderOptions{})
	below := newCA(t, InitOptions{Parent: root, Responders: []string{url}, IssuerURLs: []string{url + "/ca.crt"}})
	cert := below.Certificate()
	if cert.Subject.String() == cert.Issuer.String() || len(cert.OCSPServer) != 1 || len(cert.IssuingCertificateURL) != 1 || !cert.MaxPathLenZero {
		t.Errorf("%s by %s, %q, %q", cert.Subject, cert.Issuer, cert.OCSPServer, cert.IssuingCertificateURL)
	}
	if r := ask(t, url, root, cert); r.Status != 0 {
		t.Errorf("status %d, want good", r.Status)
	}
	leaf := issue(t, below, IssueOptions{}, "www.example.com")
	for name, cert := range map[string]*x509.Certificate{"root.pem": root.Certificate(), "below.pem": cert} {
		if err := os.WriteFile(filepath.Join(below.Dir(), name), encodeCertificate(cert), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	wantLines(t, openssl(t, below.Dir(), "verify", "-CAfile", "root.pem", "-untrusted", "below.pem", leaf.Path), ": OK")
	wantLines(t, opensslAnswers(t, root, cert), "Response verify OK", "leaf.pem: good")
	if err := root.Revoke("consul-ocsp test intermediate CA"); err != nil {
		t.Fatal(err)
	}
	if r := ask(t, url, root, cert); r.Status != 1 {
		t.Errorf("status %d, want revoked", r.Status)
	}
	_, err := Init(t.TempDir(), InitOptions{Parent: below})
	wantError(t, err, "may have no CA below it", below.Dir())
}

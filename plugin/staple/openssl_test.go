package staple

import (
	"bytes"
	"crypto/x509"
	"encoding/hex"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ocsp"
)

// openssl runs the program in dir and returns what it printed.
func openssl(t *testing.T, dir string, args ...string) string {
	t.Helper()
	path, err := exec.LookPath("openssl")
	if err != nil {
		t.Fatal("openssl is not on PATH: install the package openssl")
	}
	cmd := exec.Command(path, args...)
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("openssl %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return string(out)
}

// folder writes a scene for openssl: ca.pem, ca.key, leaf.pem, delegate.pem, delegate.key and files of its own.
func (s scene) folder(t *testing.T, files map[string][]byte) string {
	t.Helper()
	dir := t.TempDir()
	all := map[string][]byte{
		"ca.pem":       pemBlock("CERTIFICATE", s.issuer.cert.Raw),
		"leaf.pem":     pemBlock("CERTIFICATE", s.leaf.cert.Raw),
		"delegate.pem": pemBlock("CERTIFICATE", s.delegate.cert.Raw),
	}
	for name, p := range map[string]*party{"ca.key": s.issuer, "delegate.key": s.delegate} {
		der, err := x509.MarshalPKCS8PrivateKey(p.key)
		if err != nil {
			t.Fatal(err)
		}
		all[name] = pemBlock("PRIVATE KEY", der)
	}
	for name, content := range files {
		all[name] = content
	}
	for name, content := range all {
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// current is a scene whose certificates are valid by the real clock, which openssl cannot be told.
func current(t *testing.T, kind string) scene {
	t.Helper()
	year := func(change func(*x509.Certificate)) func(*x509.Certificate) {
		return func(c *x509.Certificate) {
			change(c)
			c.NotBefore, c.NotAfter = time.Now().Add(-time.Hour), time.Now().AddDate(1, 0, 0)
		}
	}
	issuer := certify(t, nil, newKey(t, kind), "Test CA", year(asCA))
	return scene{
		issuer:   issuer,
		leaf:     certify(t, issuer, newKey(t, "ecdsa"), "www.example.com", year(func(*x509.Certificate) {})),
		delegate: certify(t, issuer, newKey(t, kind), "OCSP delegate", year(asDelegate)),
	}
}

// What we accept, openssl accepts too.
func TestOpenSSLAgrees(t *testing.T) {
	now := time.Now().UTC().Truncate(time.Second)
	for _, c := range []struct {
		name, kind, want string
		change           func(s scene, a *answer)
	}{
		{"issuer signs", "ecdsa", ": good", func(scene, *answer) {}},
		{"issuer with RSA signs", "rsa", ": good", func(scene, *answer) {}},
		{"RSA-PSS", "rsa", ": good", func(_ scene, a *answer) { a.algorithm = pssAlgorithm(32) }},
		{"RSA-PSS with SHA-384", "rsa", ": good", func(_ scene, a *answer) { a.algorithm = pssAlgorithmOf(hashSHA384, 48) }},
		{"RSA-PSS with SHA-512", "rsa", ": good", func(_ scene, a *answer) { a.algorithm = pssAlgorithmOf(hashSHA512, 64) }},
		{"P-384", "ecdsa384", ": good", func(_ scene, a *answer) { a.algorithm = algorithmECDSASHA384 }},
		{"P-521", "ecdsa521", ": good", func(_ scene, a *answer) { a.algorithm = algorithmECDSASHA512 }},
		{"Ed25519", "ed25519", ": good", func(scene, *answer) {}},
		{"delegate signs, certificates in another order", "ecdsa", ": good", func(s scene, a *answer) {
			a.signer, a.certs = s.delegate, [][]byte{s.leaf.cert.Raw, s.issuer.cert.Raw, s.delegate.cert.Raw}
		}},
		{"revoked", "ecdsa", "Reason: keyCompromise", func(_ scene, a *answer) { a.singles[0].status = statusRevoked(now.Add(-time.Hour), 1) }},
		{"SHA-256 CertID", "ecdsa", ": good", func(_ scene, a *answer) { a.singles[0].hash = hashSHA256 }},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := current(t, c.kind)
			a := s.answer()
			a.producedAt, a.singles = moment(now), []single{{thisUpdate: now.Add(-time.Minute)}}
			c.change(s, &a)
			der := a.der(t)
			if _, err := s.verify(der, Options{Now: now}); err != nil {
				t.Fatal(err)
			}
			dir := s.folder(t, map[string][]byte{"answer.der": der})
			hash := "-sha1"
			if bytes.Equal(a.singles[0].hash, hashSHA256) {
				hash = "-sha256"
			}
			out := openssl(t, dir, "ocsp", "-respin", "answer.der", "-CAfile", "ca.pem", "-issuer", "ca.pem", hash, "-cert", "leaf.pem")
			if !strings.Contains(out, "Response verify OK") || !strings.Contains(out, c.want) {
				t.Errorf("openssl: %s", out)
			}
		})
	}
}

// Answers that openssl makes from an index.txt verify here, and it can read our requests.
func TestVerifiesWhatOpenSSLSigns(t *testing.T) {
	for _, c := range []struct {
		name, kind, flag string
		args             []string
		status           Status
		delegated        bool
	}{
		{"good", "ecdsa", "V", nil, Good, false},
		{"revoked", "ecdsa", "R", nil, Revoked, false},
		{"unknown", "ecdsa", "", nil, Unknown, false},
		{"RSA", "rsa", "V", nil, Good, false},
		{"RSA-PSS with the longest salt", "rsa", "V", []string{"-rsigopt", "rsa_padding_mode:pss", "-rmd", "sha256"}, Good, false},
		{"responder id by key", "ecdsa", "V", []string{"-resp_key_id"}, Good, false},
		{"SHA-384", "rsa", "V", []string{"-rmd", "sha384"}, Good, false},
		{"delegate", "ecdsa", "V", []string{"-rsigner", "delegate.pem", "-rkey", "delegate.key"}, Good, true},
		{"without certificates", "ecdsa", "V", []string{"-resp_no_certs"}, Good, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := current(t, c.kind)
			request, err := NewRequest(s.leaf.cert, s.issuer.cert)
			if err != nil {
				t.Fatal(err)
			}
			dir := s.folder(t, map[string][]byte{"request.der": request, "index.txt": indexLine(s, c.flag)})
			args := []string{"ocsp", "-index", "index.txt", "-CA", "ca.pem", "-rsigner", "ca.pem", "-rkey", "ca.key",
				"-reqin", "request.der", "-respout", "response.der", "-nmin", "60"}
			openssl(t, dir, append(args, c.args...)...)
			der, err := os.ReadFile(filepath.Join(dir, "response.der"))
			if err != nil {
				t.Fatal(err)
			}
			f, err := s.verify(der, Options{Now: time.Now()})
			if err != nil {
				t.Fatalf("%v\n%s", err, outline(Explain(der, s.leaf.cert, s.issuer.cert, Options{Now: time.Now()})))
			}
			if f.Status != c.status || f.Delegated != c.delegated || f.NextUpdate.Sub(f.ThisUpdate) != time.Hour {
				t.Errorf("%+v", f)
			}
			if fits := f.FitsHAProxy(time.Now()); (fits == nil) != (c.status != Unknown) {
				t.Errorf("HAProxy: %v", fits)
			}
		})
	}
}

// indexLine is the leaf's line in openssl's database, none for an empty flag.
func indexLine(s scene, flag string) []byte {
	revoked := ""
	switch flag {
	case "":
		return nil
	case "R":
		revoked = time.Now().UTC().Format("060102150405Z") + ",keyCompromise"
	}
	return fmt.Appendf(nil, "%s\t%s\t%s\t%s\tunknown\t/CN=leaf\n", flag, s.leaf.cert.NotAfter.UTC().Format("060102150405Z"),
		revoked, strings.ToUpper(serialHex(s.leaf.cert.SerialNumber)))
}

// Id, serial, CertID and request are what openssl makes of the same certificates.
func TestSameAsOpenSSLSays(t *testing.T) {
	s := current(t, "rsa")
	dir := s.folder(t, nil)
	out := openssl(t, dir, "x509", "-in", "leaf.pem", "-noout", "-fingerprint", "-sha256", "-serial")
	print := strings.ToLower(strings.ReplaceAll(out, ":", ""))
	if !strings.Contains(print, ID(s.leaf.cert)) || !strings.Contains(print, "serial="+serialHex(s.leaf.cert.SerialNumber)+"\n") {
		t.Errorf("id %s, openssl: %s", ID(s.leaf.cert), out)
	}
	openssl(t, dir, "ocsp", "-issuer", "ca.pem", "-cert", "leaf.pem", "-no_nonce", "-reqout", "request.der")
	want, err := os.ReadFile(filepath.Join(dir, "request.der"))
	if err != nil {
		t.Fatal(err)
	}
	got, err := NewRequest(s.leaf.cert, s.issuer.cert)
	if err != nil || !bytes.Equal(got, want) {
		t.Errorf("request %x, openssl %x (%v)", got, want, err)
	}
	id, err := CertID(s.leaf.cert, s.issuer.cert)
	if err != nil || !bytes.HasSuffix(want, id) {
		t.Errorf("CertID %s, openssl %x (%v)", hex.EncodeToString(id), want, err)
	}
	other, err := ocsp.CreateRequest(s.leaf.cert, s.issuer.cert, nil)
	if err != nil || !bytes.Equal(got, other) {
		t.Errorf("x/crypto's request differs: %x (%v)", other, err)
	}
}

func TestCertIDRefuses(t *testing.T) {
	s := newScene(t, "ecdsa")
	elsewhere := certify(t, nil, newKey(t, "ecdsa"), "Other CA", asCA)
	for _, issuer := range []*x509.Certificate{nil, elsewhere.cert} {
		if _, err := CertID(s.leaf.cert, issuer); err == nil {
			t.Errorf("CertID with %v", issuer)
		}
		if _, err := NewRequest(s.leaf.cert, issuer); err == nil {
			t.Errorf("request with %v", issuer)
		}
	}
}

// PKCS #7 as openssl writes it is read.
func TestReadsOpenSSLsPKCS7(t *testing.T) {
	s := current(t, "ecdsa")
	dir := s.folder(t, nil)
	for _, form := range []string{"DER", "PEM"} {
		openssl(t, dir, "crl2pkcs7", "-nocrl", "-certfile", "ca.pem", "-certfile", "delegate.pem", "-outform", form, "-out", "certs.p7c")
		data, err := os.ReadFile(filepath.Join(dir, "certs.p7c"))
		if err != nil {
			t.Fatal(err)
		}
		if certs, err := ParseCertificates(data); err != nil || len(certs) != 2 || FindIssuer(s.leaf.cert, certs) == nil {
			t.Errorf("%s: %d certificates, %v", form, len(certs), err)
		}
	}
}

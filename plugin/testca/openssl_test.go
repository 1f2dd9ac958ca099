package testca

import (
	"crypto/x509"
	"math/big"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// openssl runs the real openssl in dir and gives what it said.
func openssl(t *testing.T, dir string, args ...string) string {
	t.Helper()
	if _, err := exec.LookPath("openssl"); err != nil {
		t.Fatal("openssl is needed: apt-get install openssl")
	}
	p := exec.Command("openssl", args...)
	p.Dir = dir
	out, err := p.CombinedOutput()
	if err != nil {
		t.Fatalf("openssl %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return string(out)
}

func wantLines(t *testing.T, text string, lines ...string) {
	t.Helper()
	for _, line := range lines {
		if !strings.Contains(text, line) {
			t.Errorf("no %q in\n%s", line, text)
		}
	}
}

// opensslAnswers lets openssl answer for a certificate from the CA's folder, and
// then read that answer.
func opensslAnswers(t *testing.T, c *CA, leaf *x509.Certificate) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "leaf.pem"), encodeCertificate(leaf), 0o600); err != nil {
		t.Fatal(err)
	}
	ca, key, index := filepath.Join(c.Dir(), "ca.pem"), filepath.Join(c.Dir(), "ca.key"), c.indexPath()
	openssl(t, dir, "ocsp", "-issuer", ca, "-cert", "leaf.pem", "-no_nonce", "-reqout", "request.der")
	openssl(t, dir, "ocsp", "-index", index, "-CA", ca, "-rsigner", ca, "-rkey", key, "-reqin", "request.der", "-respout", "answer.der", "-nmin", "60")
	return openssl(t, dir, "ocsp", "-respin", "answer.der", "-issuer", ca, "-cert", "leaf.pem", "-CAfile", ca, "-no_nonce")
}

// oursAnswers asks our responder through openssl's client.
func oursAnswers(t *testing.T, c *CA, leaf *x509.Certificate) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "leaf.pem"), encodeCertificate(leaf), 0o600); err != nil {
		t.Fatal(err)
	}
	ca := filepath.Join(c.Dir(), "ca.pem")
	return openssl(t, dir, "ocsp", "-url", serve(t, c, ResponderOptions{})+"/", "-issuer", ca, "-cert", "leaf.pem", "-CAfile", ca)
}

func TestOpensslReadsOurCertificates(t *testing.T) {
	t.Parallel()
	c := newCA(t, InitOptions{Name: "Rehearsal CA"})
	i := issue(t, c, IssueOptions{
		MustStaple: true, Responders: []string{"http://127.0.0.1:8888/ocsp", "http://127.0.0.2/"}, IssuerURLs: []string{"http://127.0.0.1:8888/ca.crt"},
	}, "www.example.com", "127.0.0.1")
	wantLines(t, openssl(t, c.Dir(), "x509", "-in", i.Path, "-noout", "-text"),
		"OCSP - URI:http://127.0.0.1:8888/ocsp\n", "OCSP - URI:http://127.0.0.2/\n", "CA Issuers - URI:http://127.0.0.1:8888/ca.crt\n",
		"CA:FALSE", "DNS:www.example.com, IP Address:127.0.0.1", "status_request", "TLS Web Server Authentication", "Digital Signature\n",
		"X509v3 Subject Key Identifier", "X509v3 Authority Key Identifier", "Issuer: CN = Rehearsal CA")
	wantLines(t, openssl(t, c.Dir(), "x509", "-in", "ca.pem", "-noout", "-text"),
		"CA:TRUE, pathlen:1", "Digital Signature, Certificate Sign, CRL Sign")
	wantLines(t, openssl(t, c.Dir(), "verify", "-CAfile", "ca.pem", "-purpose", "sslserver", i.Path), ": OK")
	d := issue(t, c, IssueOptions{Delegate: true}, "ocsp-signer")
	wantLines(t, openssl(t, c.Dir(), "x509", "-in", d.Path, "-noout", "-text"), "OCSP Signing", "OCSP No Check")
	index, err := os.ReadFile(c.indexPath())
	if err != nil {
		t.Fatal(err)
	}
	serial := strings.TrimSpace(strings.TrimPrefix(openssl(t, c.Dir(), "x509", "-in", i.Path, "-noout", "-serial"), "serial="))
	wantLines(t, string(index), "\t\t"+serial+"\tunknown\t/CN=www.example.com\n")
}

func TestOpensslServesOurFolder(t *testing.T) {
	t.Parallel()
	for _, key := range []KeyType{ECDSA, RSA} {
		t.Run(string(key), func(t *testing.T) {
			t.Parallel()
			c := newCA(t, InitOptions{Key: key})
			old := issue(t, c, IssueOptions{}, "www.example.com").Leaf
			renewed := issue(t, c, IssueOptions{NotAfter: time.Date(2051, 1, 1, 0, 0, 0, 0, time.UTC)}, "www.example.com").Leaf
			wantLines(t, opensslAnswers(t, c, old), "Response verify OK", "leaf.pem: good", "Next Update")
			if err := c.RevokeSerial(old.SerialNumber, "keyCompromise"); err != nil {
				t.Fatal(err)
			}
			for name, said := range map[string]string{"openssl": opensslAnswers(t, c, old), "ours": oursAnswers(t, c, old)} {
				t.Log(name)
				wantLines(t, said, "Response verify OK", "leaf.pem: revoked", "Reason: keyCompromise", "Revocation Time")
			}
			for _, said := range []string{opensslAnswers(t, c, renewed), oursAnswers(t, c, renewed)} {
				wantLines(t, said, "Response verify OK", "leaf.pem: good", "Next Update")
			}
		})
	}
}

// opensslConfig is what `openssl ca` needs to work in a folder.
const opensslConfig = `
[ca]
default_ca = here
[here]
database = index.txt
serial = serial
certificate = ca.pem
private_key = ca.key
new_certs_dir = .
default_md = sha256
default_days = 30
policy = any
[any]
countryName = optional
organizationName = optional
commonName = supplied
`

// TestOpensslWorksInOurFolder issues and revokes by `openssl ca`, on top of what
// we issued and revoked.
func TestOpensslWorksInOurFolder(t *testing.T) {
	t.Parallel()
	c := newCA(t, InitOptions{})
	ours := issue(t, c, IssueOptions{}, "ours.example")
	issue(t, c, IssueOptions{}, "ours.example")
	theirs := issueByOpenssl(t, c.Dir())
	wantLines(t, oursAnswers(t, c, theirs), "Response verify OK", "leaf.pem: good")
	openssl(t, c.Dir(), "ca", "-config", "openssl.cnf", "-revoke", ours.Path, "-crl_reason", "superseded")
	wantLines(t, oursAnswers(t, c, ours.Leaf), "leaf.pem: good") // the file held the renewed one by now
	renewedText, err := os.ReadFile(ours.Path)
	if err != nil {
		t.Fatal(err)
	}
	renewed, err := firstCertificate(renewedText)
	if err != nil {
		t.Fatal(err)
	}
	wantLines(t, oursAnswers(t, c, renewed), "Response verify OK", "leaf.pem: revoked", "Reason: superseded")
	if err := c.RevokeSerial(theirs.SerialNumber, ""); err != nil {
		t.Fatal(err)
	}
	wantLines(t, opensslAnswers(t, c, theirs), "leaf.pem: revoked")
	ended := issue(t, c, IssueOptions{NotBefore: time.Now().Add(-2 * time.Hour), NotAfter: time.Now().Add(-time.Hour)}, "ended.example").Leaf
	openssl(t, c.Dir(), "ca", "-config", "openssl.cnf", "-updatedb")
	x, err := c.readIndex()
	if err != nil {
		t.Fatal(err)
	}
	if e := x.find(ended.SerialNumber); e == nil || e.status != 'E' || e.commonName() != "ended.example" {
		t.Errorf("what openssl noted as expired is read as %+v", e)
	}
}

// TestOpensslReadsHolds puts certificates on hold here and by openssl, and
// releases them: what openssl then has in its CRL, database and answers is the
// same as what we say.
func TestOpensslReadsHolds(t *testing.T) {
	t.Parallel()
	c := newCA(t, InitOptions{})
	leaf := issue(t, c, IssueOptions{}, "ours.example").Leaf
	theirs := issueByOpenssl(t, c.Dir())
	ca := func(args ...string) string {
		return openssl(t, c.Dir(), append([]string{"ca", "-config", "openssl.cnf"}, args...)...)
	}
	crl := func() string {
		ca("-gencrl", "-crldays", "1", "-out", "crl.pem")
		return openssl(t, c.Dir(), "crl", "-in", "crl.pem", "-noout", "-text", "-CAfile", "ca.pem")
	}
	if err := c.RevokeWithReason("ours.example", "certificateHold"); err != nil {
		t.Fatal(err)
	}
	ca("-revoke", "theirs.crt", "-crl_hold", "holdInstructionReject")
	for _, held := range []*x509.Certificate{leaf, theirs} {
		for _, said := range []string{opensslAnswers(t, c, held), oursAnswers(t, c, held)} {
			wantLines(t, said, "leaf.pem: revoked", "Reason: certificateHold", "Revocation Time")
		}
		wantLines(t, opensslStatus(t, c.Dir(), held), "=Revoked (R)")
	}
	wantLines(t, crl(), "verify OK", "Serial Number: "+formatSerial(leaf.SerialNumber), "Serial Number: "+formatSerial(theirs.SerialNumber), "Certificate Hold")

	for name, held := range map[string]*x509.Certificate{"ours.example": leaf, "theirs.example": theirs} {
		if err := c.Release(name); err != nil {
			t.Fatal(err)
		}
		for _, said := range []string{opensslAnswers(t, c, held), oursAnswers(t, c, held)} {
			wantLines(t, said, "leaf.pem: good")
		}
		wantLines(t, opensslStatus(t, c.Dir(), held), "=Valid (V)")
	}
	wantLines(t, crl(), "verify OK", "No Revoked Certificates")
	ca("-updatedb")
}

// opensslStatus is what "openssl ca -status" prints; it ends with 1 whatever
// that is.
func opensslStatus(t *testing.T, dir string, leaf *x509.Certificate) string {
	t.Helper()
	p := exec.Command("openssl", "ca", "-config", "openssl.cnf", "-status", formatSerial(leaf.SerialNumber))
	p.Dir = dir
	out, err := p.CombinedOutput()
	if p.ProcessState == nil {
		t.Fatal(err)
	}
	return string(out)
}

// TestOpensslSaysWhenAndWhy has openssl revoke, and our responder answer with the
// same reason and the same second.
func TestOpensslSaysWhenAndWhy(t *testing.T) {
	t.Parallel()
	c := newCA(t, InitOptions{})
	theirs := issueByOpenssl(t, c.Dir())
	openssl(t, c.Dir(), "ca", "-config", "openssl.cnf", "-revoke", "theirs.crt", "-crl_compromise", "20260102030405Z")
	ours, said := oursAnswers(t, c, theirs), opensslAnswers(t, c, theirs)
	line := regexp.MustCompile(`Revocation Time: .*`)
	wantLines(t, ours, "leaf.pem: revoked", "Reason: keyCompromise")
	if line.FindString(ours) == "" || line.FindString(ours) != line.FindString(said) {
		t.Errorf("we answer %q, openssl %q", line.FindString(ours), line.FindString(said))
	}
}

// issueByOpenssl writes openssl.cnf into a CA's folder and issues a certificate
// with `openssl ca`.
func issueByOpenssl(t *testing.T, dir string) *x509.Certificate {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, "openssl.cnf"), []byte(opensslConfig), 0o600); err != nil {
		t.Fatal(err)
	}
	openssl(t, dir, "req", "-new", "-newkey", "rsa:2048", "-nodes", "-keyout", "theirs.key", "-out", "theirs.csr", "-subj", "/C=DE/O=An Org/CN=theirs.example")
	openssl(t, dir, "ca", "-batch", "-config", "openssl.cnf", "-in", "theirs.csr", "-out", "theirs.crt", "-notext")
	text, err := os.ReadFile(filepath.Join(dir, "theirs.crt"))
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := firstCertificate(text)
	if err != nil {
		t.Fatal(err)
	}
	return leaf
}

func TestFolderMadeByOpenssl(t *testing.T) {
	t.Parallel()
	for name, key := range map[string][]string{
		"ec":     {"ecparam", "-name", "prime256v1", "-genkey", "-out", "ca.key"},
		"rsa":    {"genrsa", "-traditional", "-out", "ca.key", "2048"},
		"pkcs 8": {"genpkey", "-algorithm", "ed25519", "-out", "ca.key"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			openssl(t, dir, key...)
			openssl(t, dir, "req", "-x509", "-new", "-key", "ca.key", "-out", "ca.pem", "-days", "30", "-subj", "/C=DE/O=Theirs/CN=Their CA",
				"-addext", "keyUsage=critical,keyCertSign,cRLSign,digitalSignature")
			for file, text := range map[string]string{"index.txt": "", "serial": "0FA1\n"} {
				if err := os.WriteFile(filepath.Join(dir, file), []byte(text), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			if name == "pkcs 8" {
				// `openssl ca` has no digest for Ed25519 in this configuration.
				c, err := Open(dir)
				if err != nil {
					t.Fatal(err)
				}
				wantLines(t, oursAnswers(t, c, issue(t, c, IssueOptions{}, "www.example.com").Leaf), "Response verify OK", "leaf.pem: good")
				return
			}
			theirs := issueByOpenssl(t, dir)
			c, err := Open(dir)
			if err != nil {
				t.Fatal(err)
			}
			wantLines(t, oursAnswers(t, c, theirs), "Response verify OK", "leaf.pem: good")
			if err := c.RevokeWithReason("theirs.example", "cessationOfOperation"); err != nil {
				t.Fatal(err)
			}
			for _, said := range []string{opensslAnswers(t, c, theirs), oursAnswers(t, c, theirs)} {
				wantLines(t, said, "Response verify OK", "leaf.pem: revoked", "Reason: cessationOfOperation")
			}
			old := issue(t, c, IssueOptions{}, "www.example.com").Leaf
			issue(t, c, IssueOptions{}, "www.example.com") // openssl's index does not have two of a name by itself
			wantLines(t, opensslAnswers(t, c, old), "leaf.pem: good")
		})
	}
}

// TestOpensslVerifiesPSS has a CA and its delegate sign everything with RSA-PSS, in a folder that we made, in one below
// it, and in one that openssl made.
func TestOpensslVerifiesPSS(t *testing.T) {
	t.Parallel()
	ours := newCA(t, InitOptions{Key: RSA, PSS: true, Name: "root"})
	dir := t.TempDir()
	openssl(t, dir, "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", "ca.key", "-out", "ca.pem", "-days", "30", "-subj", "/CN=Their CA",
		"-sigopt", "rsa_padding_mode:pss", "-sigopt", "rsa_pss_saltlen:digest", "-sha384", "-addext", "keyUsage=critical,keyCertSign,cRLSign,digitalSignature")
	if err := os.WriteFile(filepath.Join(dir, "index.txt"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]*CA{
		"ours": ours, "below": newCA(t, InitOptions{Key: RSA, Parent: ours}), "theirs": &CA{dir: dir},
	} {
		c, err := Open(c.Dir())
		if err != nil {
			t.Fatal(err)
		}
		leaf := issue(t, c, IssueOptions{}, "www.example.com")
		delegate, err := c.Delegate(IssueOptions{Key: RSA})
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range []string{"ca.pem", leaf.Path, delegate.Path} {
			wantLines(t, openssl(t, c.Dir(), "x509", "-in", file, "-noout", "-text"), "Signature Algorithm: rsassaPss")
		}
		trusted := filepath.Join(map[string]string{"below": ours.Dir()}[name], "ca.pem")
		wantLines(t, openssl(t, c.Dir(), "verify", "-CAfile", trusted, "-untrusted", "ca.pem", leaf.Path), ": OK")
		for signer, o := range map[string]ResponderOptions{"itself": {}, "delegate": {SignerCert: delegate.Leaf, Signer: delegate.Key}} {
			said := openssl(t, c.Dir(), "ocsp", "-url", serve(t, c, o)+"/", "-issuer", "ca.pem", "-cert", leaf.Path, "-CAfile", trusted,
				"-verify_other", "ca.pem", "-resp_text")
			t.Log(name, signer)
			wantLines(t, said, "Response verify OK", ": good", "Signature Algorithm: rsassaPss")
		}
	}
	_, err := Init(t.TempDir(), InitOptions{PSS: true})
	wantError(t, err, "key of type rsa")
	_, err = Init(t.TempDir(), InitOptions{PSS: true, Key: RSA, Parent: newCA(t, InitOptions{Name: "plain"})})
	wantError(t, err, `"plain"`, "does not sign with RSA-PSS")
}

// TestOpensslVerifiesEverySignature has openssl judge each algorithm.
func TestOpensslVerifiesEverySignature(t *testing.T) {
	t.Parallel()
	for key, algorithms := range map[KeyType][]x509.SignatureAlgorithm{
		ECDSA:    {0, x509.ECDSAWithSHA1, x509.ECDSAWithSHA256, x509.ECDSAWithSHA384, x509.ECDSAWithSHA512},
		ECDSA384: {0},
		ECDSA521: {0, x509.ECDSAWithSHA512},
		RSA:      {0, x509.SHA1WithRSA, x509.SHA384WithRSA, x509.SHA512WithRSA, x509.SHA256WithRSAPSS, x509.SHA384WithRSAPSS, x509.SHA512WithRSAPSS},
		Ed25519:  {0, x509.PureEd25519},
	} {
		c := newCA(t, InitOptions{Key: key})
		for _, algorithm := range algorithms {
			for _, byKey := range []bool{false, true} {
				der := respond(t, c, Answer{Serial: big.NewInt(1), NextUpdate: time.Now().Add(time.Hour), SignatureAlgorithm: algorithm, ByKey: byKey})
				if err := os.WriteFile(filepath.Join(c.Dir(), "answer.der"), der, 0o600); err != nil {
					t.Fatal(err)
				}
				said := openssl(t, c.Dir(), "ocsp", "-respin", "answer.der", "-issuer", "ca.pem", "-serial", "1", "-CAfile", "ca.pem", "-no_nonce")
				if !strings.Contains(said, "Response verify OK") || !strings.Contains(said, "1: good") {
					t.Errorf("%s, %v, by key %v: %s", key, algorithm, byKey, said)
				}
			}
		}
	}
}

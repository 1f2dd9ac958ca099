package staple

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/x509"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"
	"golang.org/x/crypto/ocsp"
)

// Bits of the third argument of FuzzSigned.
const (
	byDelegate    = 1 << iota // the delegate signs, not the issuer
	withSHA384                // the response is signed with SHA-384
	certIsUnsaid              // the second argument is a TBSCertificate that the issuer signs, not a list of certificates
	withoutCerts              // the response embeds none
	fuzzFlagsUsed             // above the last one
)

// longLived is a scene with the same keys, names and serial numbers in every process, so that a stored input means the
// same in each. Its certificates are good for as long as openssl, some of which goes by the real clock, will run this.
func longLived(t testing.TB) scene {
	t.Helper()
	key := func(last byte) *ecdsa.PrivateKey {
		scalar := make([]byte, 32)
		scalar[0], scalar[31] = 1, last
		k, err := ecdsa.ParseRawPrivateKey(elliptic.P256(), scalar)
		if err != nil {
			t.Fatal(err)
		}
		return k
	}
	long := func(change func(*x509.Certificate)) func(*x509.Certificate) {
		return func(c *x509.Certificate) {
			change(c)
			c.NotBefore, c.NotAfter = fixedNow.AddDate(-2, 0, 0), fixedNow.AddDate(99, 0, 0)
		}
	}
	issuer := certify(t, nil, key(1), "Test CA", long(asCA))
	return scene{
		issuer:   issuer,
		leaf:     certify(t, issuer, key(2), "www.example.com", long(func(*x509.Certificate) {})),
		delegate: certify(t, issuer, key(3), "OCSP delegate", long(asDelegate)),
	}
}

// signed puts a response together of what the fuzzer says, with a signature that is right.
func (s scene) signed(t testing.TB, tbs, certs []byte, flags byte) []byte {
	t.Helper()
	signer, algorithm := s.issuer, algorithmECDSA
	if flags&byDelegate != 0 {
		signer = s.delegate
	}
	if flags&withSHA384 != 0 {
		algorithm = algorithmECDSASHA384
	}
	parts := [][]byte{tbs, algorithm, bitString(sign(t, signer.key, algorithm, tbs))}
	if flags&certIsUnsaid != 0 {
		certs = sequence(certs, algorithmECDSA, bitString(sign(t, s.issuer.key, algorithmECDSA, certs)))
	}
	if flags&withoutCerts == 0 {
		parts = append(parts, tagged(0, sequence(certs)))
	}
	return successful(sequence(parts...))
}

// seedSigned adds the lawful kinds of responses.
func seedSigned(f *testing.F, s scene) {
	this := fixedNow.Add(-time.Hour)
	next := tagged(0, moment(fixedNow.AddDate(90, 0, 0)))
	entry := func(change func(*single)) []single {
		e := single{thisUpdate: this, nextUpdate: next}
		change(&e)
		return []single{e}
	}
	plain := entry(func(*single) {})
	for _, singles := range [][]single{
		plain,
		entry(func(e *single) { e.status = statusRevoked(this, 1) }),
		entry(func(e *single) { e.status = statusRevoked(this, -1) }),
		entry(func(e *single) { e.status = statusUnknown }),
		entry(func(e *single) { e.hash = hashSHA256 }),
		entry(func(e *single) { e.hash = hashSHA1NoNull }),
		entry(func(e *single) { e.nextUpdate = []byte{} }),
		entry(func(e *single) { e.extensions = [][]byte{extensionDER(false, octets([]byte("x")), 1, 2, 3)} }),
		append(entry(func(e *single) { e.status = statusRevoked(this, 1) }), plain...),
	} {
		a := s.answer()
		a.signer, a.producedAt, a.singles = s.issuer, moment(this), singles
		f.Add(a.tbs(f), s.issuer.cert.Raw, byte(0))
		f.Add(a.tbs(f), []byte{}, byte(withoutCerts|withSHA384))
		a.signer, a.responderID = s.delegate, tagged(1, s.delegate.cert.RawSubject)
		f.Add(a.tbs(f), s.delegate.cert.RawTBSCertificate, byte(byDelegate|certIsUnsaid))
		a.responderID = nil
		a.extensions = [][]byte{extensionDER(false, octets([]byte("12345678")), 1, 3, 6, 1, 5, 5, 7, 48, 1, 2)}
		f.Add(a.tbs(f), append(append([]byte(nil), s.leaf.cert.Raw...), s.delegate.cert.Raw...), byte(byDelegate))
	}
}

// FuzzSigned changes what is signed, then signs it: only what a lying or broken responder of the right CA could send.
// What is accepted here must be what openssl accepts, too; so what both x/crypto/ocsp and openssl refuse is refused.
// Where x/crypto reads it, it must read the same.
func FuzzSigned(f *testing.F) {
	s := longLived(f)
	seedSigned(f, s)
	dir := f.TempDir()
	pair := opensslPair(f, dir, s.leaf.cert, s.issuer.cert)
	f.Fuzz(func(t *testing.T, tbs, certs []byte, flags byte) {
		der := s.signed(t, tbs, certs, flags%fuzzFlagsUsed)
		facts, err := pair.Verify(der, Options{Now: fixedNow})
		if err != nil {
			return
		}
		if agreesWithOpenssl(t, dir, der, facts) {
			agreesWithXCrypto(t, der, facts, s)
		}
	})
}

// opensslPair is a Pair whose certificates openssl finds in dir.
func opensslPair(f *testing.F, dir string, leaf, issuer *x509.Certificate) *Pair {
	f.Helper()
	for name, c := range map[string]*x509.Certificate{"ca.pem": issuer, "leaf.pem": leaf} {
		if err := os.WriteFile(filepath.Join(dir, name), pemBlock("CERTIFICATE", c.Raw), 0o600); err != nil {
			f.Fatal(err)
		}
	}
	return NewPair(leaf, issuer)
}

// agreesWithOpenssl wants openssl to verify what was accepted and to read the same status. It reports whether there is
// but one entry: of several the others take the first, not the worst.
func agreesWithOpenssl(t *testing.T, dir string, der []byte, facts *Facts) (single bool) {
	t.Helper()
	var r response
	if err := r.read(der); err != nil {
		t.Fatal(err)
	}
	said := opensslSays(t, dir, der)
	if !strings.Contains(said, "Response verify OK") {
		t.Fatalf("accepted, but openssl: %s", said)
	}
	if len(r.entries) > 1 {
		return false
	}
	// openssl is told to look for a CertID with SHA-1.
	if !strings.Contains(said, "leaf.pem: "+string(facts.Status)) && r.entries[0].certID.hashOID == oidSHA1 {
		t.Fatalf("%s, but openssl: %s", facts.Status, said)
	}
	return true
}

func opensslSays(t *testing.T, dir string, der []byte) string {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, "answer.der"), der, 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("openssl", "ocsp", "-respin", "answer.der", "-no_nonce", "-CAfile", "ca.pem", "-issuer", "ca.pem", "-cert", "leaf.pem",
		"-attime", strconv.FormatInt(fixedNow.Unix(), 10))
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	if _, failed := err.(*exec.ExitError); err != nil && !failed {
		t.Fatal(err)
	}
	return string(out)
}

// agreesWithXCrypto compares what was read where x/crypto can read it; it refuses some that is lawful.
func agreesWithXCrypto(t *testing.T, der []byte, facts *Facts, s scene) {
	t.Helper()
	other, err := ocsp.ParseResponseForCert(der, s.leaf.cert, s.issuer.cert)
	if err != nil {
		return
	}
	status := map[int]Status{ocsp.Good: Good, ocsp.Revoked: Revoked, ocsp.Unknown: Unknown}[other.Status]
	if status != facts.Status || !other.ThisUpdate.Equal(facts.ThisUpdate) || !other.NextUpdate.Equal(facts.NextUpdate) ||
		!other.ProducedAt.Equal(facts.ProducedAt) || !other.RevokedAt.Equal(facts.RevokedAt) || serialHex(other.SerialNumber) != facts.Serial() {
		t.Fatalf("read %+v, x/crypto %+v", facts, other)
	}
}

// Every way into the fuzz target leads to an answer that is accepted, or it would find nothing.
func TestFuzzedResponsesAreSigned(t *testing.T) {
	s := longLived(t)
	a := s.answer()
	a.producedAt, a.singles = moment(fixedNow), []single{{thisUpdate: fixedNow}}
	for flags := byte(0); flags < fuzzFlagsUsed; flags++ {
		a.signer = s.issuer
		if flags&byDelegate != 0 {
			a.signer = s.delegate
		}
		certs := s.delegate.cert.Raw
		if flags&certIsUnsaid != 0 {
			certs = s.delegate.cert.RawTBSCertificate
		}
		der := s.signed(t, a.tbs(t), certs, flags)
		missing := flags&byDelegate != 0 && flags&withoutCerts != 0
		if _, err := Verify(der, s.leaf.cert, s.issuer.cert, Options{Now: fixedNow}); (err == nil) == missing {
			t.Errorf("flags %b: %v", flags, err)
		}
		in, body := cryptobyte.String(der), cryptobyte.String(nil)
		if !in.ReadASN1(&body, asn1.SEQUENCE) || !in.Empty() {
			t.Errorf("flags %b: not one element", flags)
		}
	}
}

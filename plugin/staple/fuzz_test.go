package staple

import (
	"bytes"
	"crypto/x509"
	"os"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"
)

// The files in testdata belong to one CA and one leaf and are judged at fixedNow; testdata/README.md says how they
// were made.
var fixedNow = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)

func testdata(t testing.TB, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func fixedPair(t testing.TB) (leaf, issuer *x509.Certificate) {
	t.Helper()
	b, err := ParseBundle(testdata(t, "bundle.pem"))
	if err != nil {
		t.Fatal(err)
	}
	if issuer = FindIssuer(b.Leaf, b.Others); issuer == nil {
		t.Fatal("no issuer in testdata/bundle.pem")
	}
	return b.Leaf, issuer
}

// seed adds every file in testdata that fits the pattern.
func seed(f *testing.F, pattern string) {
	f.Helper()
	names, err := filepath.Glob(filepath.Join("testdata", pattern))
	if err != nil || len(names) == 0 {
		f.Fatalf("no seeds %s: %v", pattern, err)
	}
	for _, name := range names {
		b, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
}

func TestStoredResponses(t *testing.T) {
	leaf, issuer := fixedPair(t)
	for name, want := range map[string]Status{"good.ocsp": Good, "revoked.ocsp": Revoked, "unknown.ocsp": Unknown, "delegate.ocsp": Good, "rsa-pss-delegate.ocsp": Good} {
		f, err := Verify(testdata(t, name), leaf, issuer, Options{Now: fixedNow})
		if err != nil || f.Status != want {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := Verify(testdata(t, "try-later.ocsp"), leaf, issuer, Options{Now: fixedNow}); ReasonOf(err) != TryLater {
		t.Errorf("try-later: %v", err)
	}
}

// FuzzVerify changes whole responses whose signatures nobody makes anew. What is accepted of them is what the signature
// does not hold together: the envelope, the algorithm's parameters, the certificates. There, too, openssl must agree.
func FuzzVerify(f *testing.F) {
	seed(f, "*.ocsp")
	leaf, issuer := fixedPair(f)
	dir := f.TempDir()
	pair := opensslPair(f, dir, leaf, issuer)
	f.Fuzz(func(t *testing.T, der []byte) {
		o := Options{Now: fixedNow, AllowSHA1Signatures: true, TrustedResponders: []*x509.Certificate{leaf}}
		facts, err := Verify(der, leaf, issuer, o)
		Explain(der, nil, nil, o)
		if err != nil {
			if facts != nil || ReasonOf(err) == "" {
				t.Fatalf("%v beside %v", facts, err)
			}
			return
		}
		again, err := Verify(facts.DER, leaf, issuer, o)
		if err != nil || again.SHA256() != facts.SHA256() || again.Status != facts.Status || !again.Until.Equal(facts.Until) {
			t.Fatalf("accepted once, then %v", err)
		}
		in, body := cryptobyte.String(der), cryptobyte.String(nil)
		if !bytes.Equal(facts.DER, der) || !in.ReadASN1(&body, asn1.SEQUENCE) || !in.Empty() {
			t.Fatal("accepted without being one DER element")
		}
		if _, err := Verify(append(bytes.Clone(der), 0), leaf, issuer, o); ReasonOf(err) != Malformed {
			t.Fatalf("accepted with a byte more: %v", err)
		}
		if facts.Until.Before(o.Now) {
			t.Fatalf("accepted but over since %v", facts.Until)
		}
		if facts, err := pair.Verify(der, Options{Now: fixedNow}); err == nil {
			agreesWithOpenssl(t, dir, der, facts)
		}
	})
}

func FuzzParseBundle(f *testing.F) {
	seed(f, "*.pem")
	f.Fuzz(func(t *testing.T, data []byte) {
		b, err := ParseBundle(data)
		if err != nil {
			return
		}
		again, err := ParseBundle(pemBlock("CERTIFICATE", b.Leaf.Raw))
		if err != nil || ID(again.Leaf) != ID(b.Leaf) || !ValidID(ID(b.Leaf)) {
			t.Fatalf("leaf alone: %v", err)
		}
		Names(b.Leaf)
		MustStaple(b.Leaf)
		if issuer := FindIssuer(b.Leaf, b.Others); issuer != nil {
			if _, err := CertID(b.Leaf, issuer); err != nil {
				t.Fatalf("issuer found, but %v", err)
			}
		}
	})
}

func FuzzParseCertificates(f *testing.F) {
	seed(f, "*.pem")
	seed(f, "*.p7c")
	seed(f, "*.der")
	f.Fuzz(func(t *testing.T, data []byte) {
		certs, err := ParseCertificates(data)
		if (err == nil) != (len(certs) > 0) {
			t.Fatalf("%d certificates and %v", len(certs), err)
		}
		for _, c := range certs {
			if again, err := ParseCertificates(c.Raw); err != nil || len(again) != 1 || !again[0].Equal(c) {
				t.Fatalf("one of them alone: %v", err)
			}
		}
	})
}

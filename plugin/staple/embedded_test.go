package staple

import (
	"crypto/x509"
	"testing"

	"golang.org/x/crypto/cryptobyte/asn1"
)

// leaving is p's certificate, signed anew by p's issuer, with more bytes at the end of its subjectPublicKeyInfo.
func (p *party) leaving(t *testing.T, issuer *party, left []byte) []byte {
	t.Helper()
	root := newInput(p.cert.RawTBSCertificate, "tbs")
	in := root.sub("tbs", asn1.SEQUENCE)
	var body []byte
	const key = 6 // version, serialNumber, signature, issuer, validity, subject, subjectPublicKeyInfo
	for n := 0; in.more(); n++ {
		before := in.rest
		in.anything("field")
		field := before[:len(before)-len(in.rest)]
		if n == key {
			field = sequence(newInput(field, "key").sub("key", asn1.SEQUENCE).rest, left)
		}
		body = append(body, field...)
	}
	tbs := sequence(body)
	return sequence(tbs, algorithmECDSA, bitString(sign(t, issuer.key, algorithmECDSA, tbs)))
}

// crypto/x509 reads a certificate that has bytes left over within its public key; openssl refuses such a response.
func TestRefusesBytesLeftInEmbeddedCertificate(t *testing.T) {
	s := newScene(t, "ecdsa")
	for name, left := range map[string][]byte{"none": nil, "an element": null(), "half an element": {0x30}} {
		a := s.answer()
		a.certs = [][]byte{s.delegate.leaving(t, s.issuer, left)}
		if _, err := s.verify(a.der(t), Options{}); (err == nil) != (left == nil) || err != nil && ReasonOf(err) != Malformed {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// The issuer's own certificate is not read again where a response holds it. That spares it nothing.
func TestEmbeddedIssuerIsHeldToItsForm(t *testing.T) {
	s := newScene(t, "ecdsa")
	for name, left := range map[string][]byte{"none": nil, "half an element": {0x30}} {
		odd, err := x509.ParseCertificate(s.issuer.leaving(t, s.issuer, left))
		if err != nil {
			t.Fatal(err)
		}
		a := s.answer()
		a.certs = [][]byte{odd.Raw}
		pair := NewPair(s.leaf.cert, odd)
		for range 2 {
			f, err := pair.Verify(a.der(t), Options{Now: epoch})
			if (err == nil) != (left == nil) || err != nil && ReasonOf(err) != Malformed {
				t.Errorf("%s: %v", name, err)
			}
			if err == nil && !f.Signer.Equal(odd) {
				t.Errorf("%s: signed by %v", name, f.Signer.Subject)
			}
		}
	}
}

// What a response carries is given out as it is, verified or not; what can't be read carries nothing.
func TestEmbedded(t *testing.T) {
	s := newScene(t, "ecdsa")
	a := s.answer()
	a.certs = [][]byte{s.delegate.cert.Raw, s.issuer.cert.Raw}
	der := a.der(t)
	if list := Embedded(der); len(list) != 2 || !list[0].Equal(s.delegate.cert) || !list[1].Equal(s.issuer.cert) {
		t.Errorf("%d certificates", len(list))
	}
	for name, bad := range map[string][]byte{"nothing": nil, "cut": der[:len(der)-1], "too long": make([]byte, MaxResponse+1)} {
		if list := Embedded(bad); list != nil {
			t.Errorf("%s carries %d certificates", name, len(list))
		}
	}
}

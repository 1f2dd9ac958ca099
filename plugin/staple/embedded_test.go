package staple

import (
	"testing"

	"golang.org/x/crypto/cryptobyte/asn1"
)

// crypto/x509 reads a certificate that has bytes left over within its public key; openssl refuses such a response.
func TestRefusesBytesLeftInEmbeddedCertificate(t *testing.T) {
	s := newScene(t, "ecdsa")
	root := newInput(s.delegate.cert.RawTBSCertificate, "tbs")
	in := root.sub("tbs", asn1.SEQUENCE)
	var fields [][]byte
	for in.more() {
		before := in.rest
		in.anything("field")
		fields = append(fields, before[:len(before)-len(in.rest)])
	}
	const key = 6 // version, serialNumber, signature, issuer, validity, subject, subjectPublicKeyInfo
	info := newInput(fields[key], "key").sub("key", asn1.SEQUENCE).rest
	for name, left := range map[string][]byte{"none": nil, "an element": null(), "half an element": {0x30}} {
		fields[key] = sequence(info, left)
		var body []byte
		for _, f := range fields {
			body = append(body, f...)
		}
		tbs := sequence(body)
		a := s.answer()
		a.certs = [][]byte{sequence(tbs, algorithmECDSA, bitString(sign(t, s.issuer.key, algorithmECDSA, tbs)))}
		if _, err := s.verify(a.der(t), Options{}); (err == nil) != (left == nil) || err != nil && ReasonOf(err) != Malformed {
			t.Errorf("%s: %v", name, err)
		}
	}
}

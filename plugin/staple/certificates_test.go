package staple

import (
	"slices"
	"strings"
	"testing"
)

// certsOnly is a PKCS #7 message like that of `openssl crl2pkcs7 -nocrl`.
func certsOnly(signerInfos []byte, certs ...[]byte) []byte {
	data := sequence(integer(1), element(0x31), sequence(oid(1, 2, 840, 113549, 1, 7, 1)), tagged(0, certs...), element(0x31, signerInfos))
	return sequence(oid(1, 2, 840, 113549, 1, 7, 2), tagged(0, data))
}

func TestParseCertificates(t *testing.T) {
	s := newScene(t, "ecdsa")
	one, two := s.issuer.cert.Raw, s.delegate.cert.Raw
	for _, c := range []struct {
		name string
		data []byte
		want int
	}{
		{"DER", one, 1},
		{"PEM", pemBlock("CERTIFICATE", one), 1},
		{"PEM with two", slices.Concat(pemBlock("CERTIFICATE", one), pemBlock("CERTIFICATE", two)), 2},
		{"PEM behind text", slices.Concat([]byte("# our CA\n"), pemBlock("CERTIFICATE", one)), 1},
		{"PKCS #7 in DER", certsOnly(nil, one, two), 2},
		{"PKCS #7 in PEM", pemBlock("PKCS7", certsOnly(nil, one, two)), 2},
		{"PEM of both kinds", slices.Concat(pemBlock("CMS", certsOnly(nil, one)), pemBlock("CERTIFICATE", two)), 2},
	} {
		certs, err := ParseCertificates(c.data)
		if err != nil || len(certs) != c.want || !certs[0].Equal(s.issuer.cert) {
			t.Errorf("%s: %d certificates, %v", c.name, len(certs), err)
		}
	}
}

func TestParseCertificatesRefuses(t *testing.T) {
	s := newScene(t, "ecdsa")
	one := s.issuer.cert.Raw
	good := certsOnly(nil, one)
	for _, c := range []struct {
		name, want string
		data       []byte
	}{
		{"empty", "neither PEM", nil},
		{"HTML", "neither PEM", []byte("<html>404</html>")},
		{"a key", "neither PEM", pemBlock("PRIVATE KEY", []byte{1})},
		{"too large", "more than 1048576", make([]byte, MaxPEM+1)},
		{"DER and a byte more", "DER certificate", append(slices.Clone(one), 0)},
		{"two DER certificates in a row", "DER certificate", slices.Concat(one, one)},
		{"PEM with a certificate and junk", "certificate 2", slices.Concat(pemBlock("CERTIFICATE", one), pemBlock("CERTIFICATE", null()))},
		{"PKCS #7 without certificates", "no certificate", certsOnly(nil)},
		{"PKCS #7 in PEM without certificates", "neither PEM", pemBlock("PKCS7", certsOnly(nil))},
		{"PKCS #7 with a signer", "signerInfos", certsOnly(sequence(), one)},
		{"PKCS #7 and a byte more", "left over", append(slices.Clone(good), 0)},
		{"PKCS #7 in BER", "not DER", slices.Concat([]byte{0x30, 0x80}, good[4:], []byte{0, 0})},
		{"PKCS #7 of another type", "not signedData", sequence(oid(1, 2, 840, 113549, 1, 7, 3), tagged(0, sequence()))},
	} {
		if certs, err := ParseCertificates(c.data); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %d certificates, got %v, want %q", c.name, len(certs), err, c.want)
		}
	}
}

package staple

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"math/big"
	"testing"

	"golang.org/x/crypto/cryptobyte/asn1"
)

func TestRefusesSignatureAlgorithms(t *testing.T) {
	with := func(algorithm []byte) func(*testing.T, scene) []byte {
		return func(t *testing.T, s scene) []byte {
			a := s.answer()
			a.algorithm = algorithm
			return a.der(t)
		}
	}
	rsaOID := func(last int) []byte { return oid(1, 2, 840, 113549, 1, 1, last) }
	mgf := func(hash []byte) []byte { return tagged(1, sequence(rsaOID(8), hash)) }
	pssWith := func(parts ...[]byte) []byte { return sequence(rsaOID(10), sequence(parts...)) }
	checkRows(t, "rsa", []row{
		{name: "SHA-1 signature", want: SHA1Signature, der: with(algorithmSHA1RSA)},
		{name: "SHA-1 RSA-PSS by default parameters", want: SHA1Signature, der: with(pssWith())},
		{name: "MD5 signature", want: SignatureAlgorithm, der: with(algorithmMD5RSA), o: Options{AllowSHA1Signatures: true}},
		{name: "unknown algorithm", want: SignatureAlgorithm, der: with(sequence(oid(1, 2, 3)))},
		{name: "RSA with parameters", want: SignatureAlgorithm, der: with(sequence(rsaOID(11), integer(1)))},
		{name: "RSA with two parameters", want: SignatureAlgorithm, der: with(sequence(rsaOID(11), null(), null()))},
		{name: "ECDSA with NULL parameters", want: SignatureAlgorithm, der: with(sequence(oid(1, 2, 840, 10045, 4, 3, 2), null()))},
		{name: "Ed25519 with NULL parameters", want: SignatureAlgorithm, der: with(sequence(oid(1, 3, 101, 112), null()))},
		{name: "ECDSA from an RSA key", want: BadSignature, der: with(algorithmECDSA)},
		{name: "Ed25519 from an RSA key", want: BadSignature, der: with(algorithmEd25519Fake(t))},
		{name: "RSA-PSS without parameters", want: SignatureAlgorithm, der: with(sequence(rsaOID(10)))},
		{name: "RSA-PSS with two hashes", want: SignatureAlgorithm, der: with(pssWith(tagged(0, hashSHA256), mgf(hashSHA384), tagged(2, integer(32))))},
		{name: "RSA-PSS with another mask", want: SignatureAlgorithm, der: with(pssWith(tagged(0, hashSHA256), tagged(1, sequence(rsaOID(9), hashSHA256)), tagged(2, integer(32))))},
		{name: "RSA-PSS with an unknown hash", want: SignatureAlgorithm, der: with(pssWith(tagged(0, sequence(oid(1, 2, 3)))))},
		{name: "RSA-PSS with another trailer", want: SignatureAlgorithm, der: with(pssWith(tagged(0, hashSHA256), mgf(hashSHA256), tagged(2, integer(32)), tagged(3, integer(2))))},
		{name: "RSA-PSS with a salt of 0", want: SignatureAlgorithm, der: with(pssAlgorithm(0))},
		{name: "RSA-PSS with a negative salt", want: SignatureAlgorithm, der: with(pssAlgorithm(-2))},
		{name: "RSA-PSS with a salt of 10000", want: SignatureAlgorithm, der: with(pssAlgorithm(10000))},
		{name: "RSA-PSS with another salt than used", want: BadSignature, der: func(t *testing.T, s scene) []byte {
			a := s.answer()
			a.algorithm = pssAlgorithm(20)
			a.signature = sign(t, s.issuer.key, pssAlgorithm(32), a.tbsFrom(t, s.issuer))
			return a.der(t)
		}},
		{name: "RSA PKCS #1 stated as RSA-PSS", want: BadSignature, der: with(pssAlgorithm(33))},
	})
}

// algorithmEd25519Fake is the Ed25519 identifier in bytes of its own: sign then uses SHA-256 with the RSA key.
func algorithmEd25519Fake(t *testing.T) []byte {
	t.Helper()
	return sequence(oid(1, 3, 101, 112))
}

// A delegate's own certificate must hold what the response's signature holds.
func TestRefusesSHA1InDelegateCertificate(t *testing.T) {
	s := newScene(t, "rsa")
	d := resignSHA1(t, s.delegate.cert, s.issuer.key)
	a := s.answer()
	a.signer, a.certs = &party{d, s.delegate.key}, [][]byte{d.Raw}
	der := a.der(t)
	if _, err := s.verify(der, Options{}); ReasonOf(err) != SHA1Signature {
		t.Errorf("got %v", err)
	}
	if f, err := s.verify(der, Options{AllowSHA1Signatures: true}); err != nil || !f.Delegated {
		t.Errorf("allowed: %v", err)
	}
}

// resignSHA1 makes the same certificate signed with SHA-1, which crypto/x509 no longer does.
func resignSHA1(t *testing.T, c *x509.Certificate, key any) *x509.Certificate {
	t.Helper()
	root := newInput(c.RawTBSCertificate, "tbs")
	in := root.sub("tbs", asn1.SEQUENCE)
	version := in.element("version", asn1.Tag(0).ContextSpecific().Constructed())
	serial := in.element("serial", asn1.INTEGER)
	in.element("signature", asn1.SEQUENCE)
	tbs := sequence(version, serial, algorithmSHA1RSA, in.rest)
	sig := sign(t, key.(*rsa.PrivateKey), algorithmSHA1RSA, tbs)
	out, err := x509.ParseCertificate(sequence(tbs, algorithmSHA1RSA, bitString(sig)))
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestRefusesHugeKeys(t *testing.T) {
	// A stranger's certificate with a key of 40,000 bits must cost nothing.
	s := newScene(t, "rsa")
	n := new(big.Int).SetBit(new(big.Int), 40000, 1)
	a := algorithm{"SHA256-RSA", pkcs1, 5, 0}
	huge := &x509.Certificate{PublicKey: &rsa.PublicKey{N: n.Add(n, big.NewInt(1)), E: 65537}}
	sig := make([]byte, 5001)
	if _, err := rand.Read(sig); err != nil {
		t.Fatal(err)
	}
	if err := a.verify(huge, s.leaf.cert.Raw, sig); err == nil || err.Error() != "RSA key of 40001 bits, more than 16384" {
		t.Errorf("got %v", err)
	}
}

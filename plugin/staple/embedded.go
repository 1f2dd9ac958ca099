package staple

import (
	"crypto/x509"

	"golang.org/x/crypto/cryptobyte/asn1"
)

// Embedded returns the certificates that a response carries, none if it can't be read. Nothing is said of them: neither
// that one of them signed, nor that any may.
func Embedded(der []byte) []*x509.Certificate {
	if len(der) > MaxResponse {
		return nil
	}
	var r response
	if r.read(der) != nil {
		return nil
	}
	return r.certs
}

// parseEmbedded reads a certificate of a response.
func parseEmbedded(der []byte) (*x509.Certificate, error) {
	if err := checkForm(der); err != nil {
		return nil, err
	}
	return x509.ParseCertificate(der)
}

// checkForm holds a certificate to the form of RFC 5280 section 4.1 to its end. crypto/x509 passes over bytes that are
// left over inside of it, for which OpenSSL, and with it HAProxy and many clients, refuses the whole response.
func checkForm(der []byte) error {
	root := newInput(der, "certificate")
	in := root.sub("Certificate", asn1.SEQUENCE)
	root.end()
	walkTBS(in.sub("tbsCertificate", asn1.SEQUENCE))
	walkAlgorithm(in, "signatureAlgorithm")
	in.bits("signature")
	in.end()
	return *root.err
}

func walkTBS(in *input) {
	constructed := func(n uint8) asn1.Tag { return asn1.Tag(n).ContextSpecific().Constructed() }
	if in.has(constructed(0)) {
		version := in.sub("version", constructed(0))
		version.number("version")
		version.end()
	}
	in.number("serialNumber")
	walkAlgorithm(in, "signature")
	walkName(in, "issuer")
	validity := in.sub("validity", asn1.SEQUENCE)
	walkTime(validity, "notBefore")
	walkTime(validity, "notAfter")
	validity.end()
	walkName(in, "subject")
	key := in.sub("subjectPublicKeyInfo", asn1.SEQUENCE)
	walkAlgorithm(key, "algorithm")
	key.bits("subjectPublicKey")
	key.end()
	for _, n := range []uint8{1, 2} { // issuerUniqueID, subjectUniqueID
		if tag := asn1.Tag(n).ContextSpecific(); in.has(tag) {
			in.content("uniqueID", tag)
		}
	}
	if in.has(constructed(3)) {
		tagged := in.sub("extensions", constructed(3))
		list := tagged.sub("extensions", asn1.SEQUENCE)
		tagged.end()
		for list.more() {
			one := list.sub("Extension", asn1.SEQUENCE)
			one.oid("extnID")
			if one.has(asn1.BOOLEAN) { // CAs write out FALSE, which DER would omit; everybody reads it
				one.content("critical", asn1.BOOLEAN)
			}
			one.content("extnValue", asn1.OCTET_STRING)
			one.end()
		}
	}
	in.end()
}

func walkAlgorithm(in *input, name string) {
	a := in.sub(name, asn1.SEQUENCE)
	a.oid("algorithm")
	if a.more() {
		a.anything("parameters")
	}
	a.end()
}

func walkName(in *input, name string) {
	sequence := in.sub(name, asn1.SEQUENCE)
	for sequence.more() {
		set := sequence.sub("RelativeDistinguishedName", asn1.SET)
		for set.more() {
			one := set.sub("AttributeTypeAndValue", asn1.SEQUENCE)
			one.oid("type")
			one.anything("value")
			one.end()
		}
	}
}

func walkTime(in *input, name string) {
	if in.has(asn1.UTCTime) {
		in.content(name, asn1.UTCTime)
		return
	}
	in.content(name, asn1.GeneralizedTime)
}

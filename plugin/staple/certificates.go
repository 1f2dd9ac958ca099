package staple

import (
	"crypto/x509"
	"errors"
	"fmt"

	"golang.org/x/crypto/cryptobyte/asn1"
)

// ParseCertificates reads certificates in any form in which CAs hand them out: PEM with any number of CERTIFICATE or
// PKCS7 blocks, one DER certificate, or a DER PKCS #7 "certs-only" message (RFC 5652 SignedData without signers). It
// is for .issuer files, files of trusted certificates and bodies behind caIssuers URLs (RFC 5280 section 4.2.2.1).
// At least one certificate must be there and every one must be readable; more than MaxPEM bytes are refused.
func ParseCertificates(data []byte) ([]*x509.Certificate, error) {
	if len(data) > MaxPEM {
		return nil, fmt.Errorf("certificates: %d bytes, more than %d", len(data), MaxPEM)
	}
	if len(data) > 0 && data[0] == 0x30 { // a SEQUENCE; no PEM file starts with "0"
		return parseDER(data)
	}
	blocks, err := pemBlocks(data, pemCertificate, pemX509, pemTrusted, "PKCS7", "CMS")
	if err != nil {
		return nil, err
	}
	var out []*x509.Certificate
	for i, block := range blocks {
		if block.Type == "PKCS7" || block.Type == "CMS" {
			certs, err := readCertsOnly(block.Bytes)
			if err != nil {
				return nil, fmt.Errorf("PEM: block %d: %w", i+1, err)
			}
			out = append(out, certs...)
			continue
		}
		c, err := parseBlock(block)
		if err != nil {
			return nil, fmt.Errorf("PEM: certificate %d: %w", i+1, err)
		}
		out = append(out, c)
	}
	if len(out) == 0 {
		return nil, errors.New("certificates: neither PEM, nor DER, nor PKCS #7 with certificates")
	}
	return out, nil
}

func parseDER(data []byte) ([]*x509.Certificate, error) {
	// A ContentInfo starts with its type, a certificate with another SEQUENCE.
	root := newInput(data, "certificates")
	in := root.sub("DER", asn1.SEQUENCE)
	if *root.err != nil {
		return nil, *root.err
	}
	if in.has(asn1.OBJECT_IDENTIFIER) {
		certs, err := readCertsOnly(data)
		if err == nil && len(certs) == 0 {
			err = errors.New("PKCS #7: no certificate")
		}
		return certs, err
	}
	c, err := x509.ParseCertificate(data)
	if err != nil {
		return nil, fmt.Errorf("DER certificate: %w", err)
	}
	return []*x509.Certificate{c}, nil
}

const (
	oidSignedData = "1.2.840.113549.1.7.2"
	oidData       = "1.2.840.113549.1.7.1"
)

// readCertsOnly reads a degenerate SignedData: certificates, perhaps CRLs, no content and no signer. Strict DER.
func readCertsOnly(der []byte) ([]*x509.Certificate, error) {
	root := newInput(der, "PKCS #7")
	info := root.sub("ContentInfo", asn1.SEQUENCE)
	root.end()
	if oid := info.oid("contentType"); oid != oidSignedData {
		info.failf("content type %s is not signedData", oid)
	}
	tagged := info.sub("content", asn1.Tag(0).ContextSpecific().Constructed())
	info.end()
	data := tagged.sub("SignedData", asn1.SEQUENCE)
	tagged.end()
	data.integer("version")
	data.content("digestAlgorithms", asn1.SET)
	inner := data.sub("encapContentInfo", asn1.SEQUENCE)
	if oid := inner.oid("contentType"); oid != oidData {
		inner.failf("content type %s is not data", oid)
	}
	inner.end()
	var out []*x509.Certificate
	if tag := asn1.Tag(0).ContextSpecific().Constructed(); data.has(tag) {
		list := data.sub("certificates", tag)
		for list.more() {
			c, err := x509.ParseCertificate(list.element("certificate", asn1.SEQUENCE))
			if err != nil {
				list.failf("certificate %d: %w", len(out)+1, err)
			}
			out = append(out, c)
		}
	}
	if tag := asn1.Tag(1).ContextSpecific().Constructed(); data.has(tag) {
		data.content("crls", tag)
	}
	data.sub("signerInfos", asn1.SET).end()
	data.end()
	if *root.err != nil {
		return nil, *root.err
	}
	return out, nil
}

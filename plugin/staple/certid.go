package staple

import (
	"bytes"
	"crypto"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/x509"
	"errors"
	"fmt"

	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"
)

// certID is a CertID of RFC 6960 section 4.1.1 as it was read.
type certID struct {
	der        []byte // whole
	hashOID    string
	parameters bool // the hash algorithm has its NULL parameters; absent is lawful too
	nameHash   []byte
	keyHash    []byte
	serial     []byte // content of the INTEGER
}

func readCertID(in *input) certID {
	der := in.element("certID", asn1.SEQUENCE)
	whole := &input{rest: der, name: "certID", err: in.err}
	body := whole.sub("CertID", asn1.SEQUENCE)
	id := certID{der: der}
	hash := body.sub("hashAlgorithm", asn1.SEQUENCE)
	id.hashOID = hash.oid("algorithm")
	id.parameters = readNull(hash)
	hash.end()
	id.nameHash = body.content("issuerNameHash", asn1.OCTET_STRING)
	id.keyHash = body.content("issuerKeyHash", asn1.OCTET_STRING)
	id.serial = body.number("serialNumber")
	body.end()
	return id
}

// readNull reads NULL parameters if they stand next and reports whether they did.
func readNull(in *input) bool {
	if !in.has(asn1.NULL) {
		return false
	}
	in.sub("parameters", asn1.NULL).end()
	return *in.err == nil
}

const (
	oidSHA1   = "1.3.14.3.2.26"
	oidSHA256 = "2.16.840.1.101.3.4.2.1"
)

// hashOf maps a hash algorithm's object identifier to the hash, 0 if it is not supported.
func hashOf(oid string) crypto.Hash {
	switch oid {
	case oidSHA1:
		return crypto.SHA1
	case oidSHA256:
		return crypto.SHA256
	case "2.16.840.1.101.3.4.2.2":
		return crypto.SHA384
	case "2.16.840.1.101.3.4.2.3":
		return crypto.SHA512
	}
	return 0
}

// names reports whether the hashes are those of issuer.
func (id *certID) names(issuer *x509.Certificate) (bool, error) {
	hash := hashOf(id.hashOID)
	if hash == 0 {
		return false, fmt.Errorf("hash algorithm %s is not supported", id.hashOID)
	}
	key, err := publicKeyBits(issuer)
	if err != nil {
		return false, err
	}
	var room [maxHash]byte
	return bytes.Equal(id.nameHash, appendSum(room[:0], hash, issuer.RawSubject)) &&
		bytes.Equal(id.keyHash, appendSum(room[:0], hash, key)), nil
}

// maxHash is the size in bytes of the longest hash in use.
const maxHash = sha512.Size

// appendSum appends the hash of b to room, which needs no memory if room has maxHash bytes left.
func appendSum(room []byte, hash crypto.Hash, b []byte) []byte {
	switch hash {
	case crypto.SHA1:
		s := sha1.Sum(b)
		return append(room, s[:]...)
	case crypto.SHA256:
		s := sha256.Sum256(b)
		return append(room, s[:]...)
	case crypto.SHA384:
		s := sha512.Sum384(b)
		return append(room, s[:]...)
	case crypto.SHA512:
		s := sha512.Sum512(b)
		return append(room, s[:]...)
	}
	return room // fits nothing; hashOf knows no other
}

// publicKeyBits returns the content of subjectPublicKey: what CertID and ResponderID hash.
func publicKeyBits(c *x509.Certificate) ([]byte, error) {
	whole := cryptobyte.String(c.RawSubjectPublicKeyInfo)
	var in cryptobyte.String
	var bits []byte
	if !whole.ReadASN1(&in, asn1.SEQUENCE) || !whole.Empty() || !in.SkipASN1(asn1.SEQUENCE) ||
		!in.ReadASN1BitStringAsBytes(&bits) || !in.Empty() {
		return nil, errors.New("public key: not the DER of a SubjectPublicKeyInfo")
	}
	return bits, nil
}

// CertID returns the DER of the CertID by which HAProxy looks a response up: SHA-1 with NULL parameters over the
// leaf's issuer name and the issuer's key, with the leaf's serial number (RFC 6960 section 4.1.1; OpenSSL's
// OCSP_cert_to_id). It compares names only; use CheckIssuer to be sure of the key.
func CertID(leaf, issuer *x509.Certificate) ([]byte, error) {
	if leaf == nil || issuer == nil {
		return nil, errors.New("certID: needs a certificate and its issuer")
	}
	if !bytes.Equal(leaf.RawIssuer, issuer.RawSubject) {
		return nil, fmt.Errorf("certID: the certificate's issuer is %q, not %q", leaf.Issuer, issuer.Subject)
	}
	key, err := publicKeyBits(issuer)
	if err != nil {
		return nil, fmt.Errorf("certID: issuer %q: %w", issuer.Subject, err)
	}
	nameHash, keyHash := sha1.Sum(leaf.RawIssuer), sha1.Sum(key)
	var b cryptobyte.Builder
	b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
			b.AddASN1ObjectIdentifier([]int{1, 3, 14, 3, 2, 26})
			b.AddASN1NULL()
		})
		b.AddASN1OctetString(nameHash[:])
		b.AddASN1OctetString(keyHash[:])
		b.AddASN1BigInt(leaf.SerialNumber)
	})
	return b.Bytes()
}

// NewRequest returns a DER OCSPRequest for leaf: one unsigned request with the CertID above and no extensions, so
// that a responder can answer with a response made in advance (RFC 5019 section 2.1.1).
func NewRequest(leaf, issuer *x509.Certificate) ([]byte, error) {
	id, err := CertID(leaf, issuer)
	if err != nil {
		return nil, fmt.Errorf("OCSP request: %w", err)
	}
	nest := func(content []byte) []byte {
		var b cryptobyte.Builder
		b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) { b.AddBytes(content) })
		return b.BytesOrPanic() // content is far below any length that could overflow
	}
	// OCSPRequest { TBSRequest { requestList { Request { CertID } } } }
	return nest(nest(nest(nest(id)))), nil
}

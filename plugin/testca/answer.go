package testca

import (
	"crypto"
	_ "crypto/sha1"
	_ "crypto/sha256"
	_ "crypto/sha512"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"fmt"
	"math/big"
	"time"

	"golang.org/x/crypto/ocsp"
)

// Answer describes one signed OCSP answer. Its fields are put in as they are,
// so that answers can be made that must be refused. Times are whole seconds UTC
// in the answer.
type Answer struct {
	Status     int       // ocsp.Good (0), ocsp.Revoked, ocsp.Unknown
	Serial     *big.Int  // required
	ThisUpdate time.Time // zero: now
	NextUpdate time.Time // zero: the answer has none
	RevokedAt  time.Time // for ocsp.Revoked; zero: ThisUpdate
	Reason     int       // CRLReason; 0: none is given
	ProducedAt time.Time // zero: ThisUpdate

	Hash             crypto.Hash       // of the CertID; 0: SHA-1. SHA-256, -384 and -512 work
	NoHashParameters bool              // leave out the NULL after the CertID's hash algorithm
	Issuer           *x509.Certificate // named by the CertID; nil: the CA
	More             []Answer          // further single responses; of these only Status to Reason, Hash, NoHashParameters, Issuer and SingleExtensions count

	Signer             crypto.Signer           // nil: the CA's key
	SignerCert         *x509.Certificate       // named by the ResponderID; nil: the CA's
	SignatureAlgorithm x509.SignatureAlgorithm // 0: what fits key and CA, with SHA-256 (P-384: SHA-384, P-521: SHA-512)
	ByKey              bool                    // ResponderID is the key's hash, not the name
	Certificates       []*x509.Certificate     // embedded; nil: SignerCert where it is given. An empty slice: none
	BadSignature       bool                    // one bit of the signature is wrong

	SingleExtensions []pkix.Extension
	Extensions       []pkix.Extension // of the whole response, such as a nonce
}

// Respond signs an answer and gives the DER of the OCSPResponse (RFC 6960, 4.2.1).
func (c *CA) Respond(a Answer) ([]byte, error) {
	if a.Signer == nil {
		a.Signer = c.key
	}
	if a.Certificates == nil && a.SignerCert != nil {
		a.Certificates = []*x509.Certificate{a.SignerCert}
	}
	if a.SignerCert == nil {
		a.SignerCert = c.cert
	}
	if a.SignatureAlgorithm == 0 {
		a.SignatureAlgorithm = c.algorithm(a.Signer.Public())
	}
	data, err := c.responseData(a)
	if err != nil {
		return nil, err
	}
	algorithm, signature, err := signData(data, a.Signer, a.SignatureAlgorithm)
	if err != nil {
		return nil, err
	}
	if a.BadSignature {
		// Late in the value, so that the DER of an ECDSA signature stays whole.
		signature[len(signature)-1] ^= 1
	}
	basic := basicResponse{
		Data:      asn1.RawValue{FullBytes: data},
		Algorithm: algorithm,
		Signature: asn1.BitString{Bytes: signature, BitLength: 8 * len(signature)},
	}
	for _, cert := range a.Certificates {
		basic.Certificates = append(basic.Certificates, asn1.RawValue{FullBytes: cert.Raw})
	}
	der, err := asn1.Marshal(basic)
	if err != nil {
		return nil, err
	}
	return asn1.Marshal(successfulResponse{
		Status:  asn1.Enumerated(ocsp.Success),
		Content: responseBytes{Type: asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 48, 1, 1}, Response: der},
	})
}

// ErrorResponse gives the DER of an OCSPResponse without content, such as
// ocsp.TryLater. It is not signed; status is not checked.
func ErrorResponse(status ocsp.ResponseStatus) []byte {
	return []byte{0x30, 3, 0x0a, 1, byte(status)}
}

// The types of RFC 6960, 4.2.1.
type (
	successfulResponse struct {
		Status  asn1.Enumerated
		Content responseBytes `asn1:"explicit,tag:0"`
	}
	responseBytes struct {
		Type     asn1.ObjectIdentifier
		Response []byte
	}
	basicResponse struct {
		Data         asn1.RawValue
		Algorithm    pkix.AlgorithmIdentifier
		Signature    asn1.BitString
		Certificates []asn1.RawValue `asn1:"explicit,tag:0,optional,omitempty"`
	}
	responseData struct {
		ResponderID asn1.RawValue
		ProducedAt  time.Time `asn1:"generalized"`
		Responses   []singleResponse
		Extensions  []pkix.Extension `asn1:"explicit,tag:1,optional,omitempty"`
	}
	singleResponse struct {
		CertID     certID
		Status     asn1.RawValue
		ThisUpdate time.Time        `asn1:"generalized"`
		NextUpdate time.Time        `asn1:"generalized,explicit,tag:0,optional"`
		Extensions []pkix.Extension `asn1:"explicit,tag:1,optional,omitempty"`
	}
	certID struct {
		Hash     pkix.AlgorithmIdentifier
		NameHash []byte
		KeyHash  []byte
		Serial   *big.Int
	}
	revokedInfo struct {
		At     time.Time       `asn1:"generalized"`
		Reason asn1.Enumerated `asn1:"explicit,tag:0,optional"`
	}
)

func (c *CA) responseData(a Answer) ([]byte, error) {
	a.ThisUpdate = firstTime(a.ThisUpdate, c.now())
	id, err := responderID(a.SignerCert, a.ByKey)
	if err != nil {
		return nil, err
	}
	data := responseData{
		ResponderID: id,
		ProducedAt:  firstTime(a.ProducedAt, a.ThisUpdate),
		Extensions:  a.Extensions,
	}
	for _, one := range append([]Answer{a}, a.More...) {
		single, err := c.singleResponse(one)
		if err != nil {
			return nil, err
		}
		data.Responses = append(data.Responses, single)
	}
	return asn1.Marshal(data)
}

func (c *CA) singleResponse(a Answer) (singleResponse, error) {
	s := singleResponse{ThisUpdate: firstTime(a.ThisUpdate, c.now()), Extensions: a.SingleExtensions}
	if !a.NextUpdate.IsZero() {
		s.NextUpdate = firstTime(a.NextUpdate, a.NextUpdate)
	}
	if a.Serial == nil {
		return s, fmt.Errorf("an answer needs a serial number")
	}
	issuer := a.Issuer
	if issuer == nil {
		issuer = c.cert
	}
	var err error
	if s.CertID, err = newCertID(a.Hash, issuer, a.Serial); err != nil {
		return s, err
	}
	if a.NoHashParameters {
		s.CertID.Hash.Parameters = asn1.RawValue{}
	}
	s.Status, err = certStatus(a, s.ThisUpdate)
	return s, err
}

// certStatus is a CHOICE of implicitly tagged values.
func certStatus(a Answer, thisUpdate time.Time) (asn1.RawValue, error) {
	v := asn1.RawValue{Class: asn1.ClassContextSpecific, Tag: a.Status}
	switch a.Status {
	case ocsp.Good, ocsp.Unknown:
		return v, nil
	case ocsp.Revoked:
	default:
		return v, fmt.Errorf("certificate status %d: want 0 (good), 1 (revoked) or 2 (unknown)", a.Status)
	}
	der, err := asn1.MarshalWithParams(
		revokedInfo{At: firstTime(a.RevokedAt, thisUpdate), Reason: asn1.Enumerated(a.Reason)}, "tag:1")
	return asn1.RawValue{FullBytes: der}, err
}

// hashOID gives the object identifier of a CertID's hash, nil for an unknown one.
func hashOID(h crypto.Hash) asn1.ObjectIdentifier {
	switch h {
	case crypto.SHA1:
		return asn1.ObjectIdentifier{1, 3, 14, 3, 2, 26}
	case crypto.SHA256:
		return asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 2, 1}
	case crypto.SHA384:
		return asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 2, 2}
	case crypto.SHA512:
		return asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 2, 3}
	}
	return nil
}

func newCertID(h crypto.Hash, issuer *x509.Certificate, serial *big.Int) (certID, error) {
	if h == 0 {
		h = crypto.SHA1
	}
	oid := hashOID(h)
	if oid == nil {
		return certID{}, fmt.Errorf("%v is not a hash for a CertID", h)
	}
	key, err := publicKeyBits(issuer.RawSubjectPublicKeyInfo)
	if err != nil {
		return certID{}, err
	}
	return certID{
		Hash:     pkix.AlgorithmIdentifier{Algorithm: oid, Parameters: asn1.NullRawValue},
		NameHash: digest(h, issuer.RawSubject),
		KeyHash:  digest(h, key),
		Serial:   serial,
	}, nil
}

func responderID(signer *x509.Certificate, byKey bool) (asn1.RawValue, error) {
	v := asn1.RawValue{Class: asn1.ClassContextSpecific, Tag: 1, IsCompound: true, Bytes: signer.RawSubject}
	if !byKey {
		return v, nil
	}
	key, err := publicKeyBits(signer.RawSubjectPublicKeyInfo)
	if err != nil {
		return v, err
	}
	v.Tag = 2
	v.Bytes, err = asn1.Marshal(digest(crypto.SHA1, key))
	return v, err
}

func digest(h crypto.Hash, b []byte) []byte {
	w := h.New()
	w.Write(b)
	return w.Sum(nil)
}

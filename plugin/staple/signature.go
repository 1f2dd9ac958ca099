package staple

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/x509"
	"errors"
	"fmt"
	"math/big"

	"golang.org/x/crypto/cryptobyte/asn1"
)

// maxRSABits bounds the work that a key in a stranger's certificate can cause; OpenSSL has the same limit.
const maxRSABits = 16384

const (
	oidSHA256RSA   = "1.2.840.113549.1.1.11"
	oidSHA384RSA   = "1.2.840.113549.1.1.12"
	oidSHA512RSA   = "1.2.840.113549.1.1.13"
	oidECDSASHA256 = "1.2.840.10045.4.3.2"
	oidECDSASHA384 = "1.2.840.10045.4.3.3"
	oidECDSASHA512 = "1.2.840.10045.4.3.4"
	oidEd25519     = "1.3.101.112"
)

type scheme int

const (
	pkcs1 scheme = iota
	pss
	ecdsaDER
	eddsa
)

// algorithm is a signature algorithm with all its parameters decided.
type algorithm struct {
	name   string
	scheme scheme
	hash   crypto.Hash // 0 for Ed25519
	salt   int         // RSA-PSS only
}

// readAlgorithm reads an AlgorithmIdentifier with nothing behind it. Parameters must be what the algorithm's own RFC
// wants: NULL or absent for RSA PKCS #1 (RFC 4055 section 5), absent for ECDSA (RFC 5758 section 3.2) and Ed25519 (RFC
// 8410 section 3), RSASSA-PSS-params for RSA-PSS (RFC 4055 section 3.1).
func readAlgorithm(root *input) (algorithm, error) {
	in := root.sub("AlgorithmIdentifier", asn1.SEQUENCE)
	root.end()
	oid := in.oid("algorithm")
	var a algorithm
	switch oid {
	case "1.2.840.113549.1.1.5":
		a = algorithm{"SHA1-RSA", pkcs1, crypto.SHA1, 0}
	case oidSHA256RSA:
		a = algorithm{"SHA256-RSA", pkcs1, crypto.SHA256, 0}
	case oidSHA384RSA:
		a = algorithm{"SHA384-RSA", pkcs1, crypto.SHA384, 0}
	case oidSHA512RSA:
		a = algorithm{"SHA512-RSA", pkcs1, crypto.SHA512, 0}
	case "1.2.840.113549.1.1.10":
		a = readPSS(in)
	case "1.2.840.10045.4.1":
		a = algorithm{"ECDSA-SHA1", ecdsaDER, crypto.SHA1, 0}
	case oidECDSASHA256:
		a = algorithm{"ECDSA-SHA256", ecdsaDER, crypto.SHA256, 0}
	case oidECDSASHA384:
		a = algorithm{"ECDSA-SHA384", ecdsaDER, crypto.SHA384, 0}
	case oidECDSASHA512:
		a = algorithm{"ECDSA-SHA512", ecdsaDER, crypto.SHA512, 0}
	case oidEd25519:
		a = algorithm{"Ed25519", eddsa, 0, 0}
	default:
		in.failf("%s is not supported", oid)
	}
	if a.scheme == pkcs1 {
		readNull(in)
	}
	in.end()
	return a, *in.err
}

// readPSS reads RSASSA-PSS-params. The mask's hash must be the message's, the trailer the default one. The salt may
// have any length but 0, which crypto/rsa takes for "any".
func readPSS(algorithmID *input) algorithm {
	in := algorithmID.sub("RSASSA-PSS-params", asn1.SEQUENCE)
	tag := func(n uint8) asn1.Tag { return asn1.Tag(n).ContextSpecific().Constructed() }
	hash, mask, salt := crypto.SHA1, crypto.SHA1, big.NewInt(20)
	if in.has(tag(0)) {
		tagged := in.sub("hashAlgorithm", tag(0))
		hash = readHash(tagged)
		tagged.end()
	}
	if in.has(tag(1)) {
		tagged := in.sub("maskGenAlgorithm", tag(1))
		mgf := tagged.sub("maskGenAlgorithm", asn1.SEQUENCE)
		tagged.end()
		if oid := mgf.oid("algorithm"); oid != "1.2.840.113549.1.1.8" {
			mgf.failf("%s is not MGF1", oid)
		}
		mask = readHash(mgf)
		mgf.end()
	}
	if in.has(tag(2)) {
		tagged := in.sub("saltLength", tag(2))
		salt = tagged.integer("saltLength")
		tagged.end()
	}
	in.end()
	if hash != mask {
		in.failf("MGF1 uses another hash than the message")
	}
	if !salt.IsInt64() || salt.Int64() < 1 || salt.Int64() > 1024 {
		in.failf("salt length %v is not supported", salt)
	}
	return algorithm{"RSA-PSS-" + hashName(hash), pss, hash, int(salt.Int64())}
}

func readHash(in *input) crypto.Hash {
	id := in.sub("hash", asn1.SEQUENCE)
	oid := id.oid("algorithm")
	readNull(id)
	id.end()
	hash := hashOf(oid)
	if hash == 0 {
		id.failf("%s is not supported", oid)
	}
	return hash
}

func hashName(h crypto.Hash) string {
	switch h {
	case crypto.SHA1:
		return "SHA1"
	case crypto.SHA256:
		return "SHA256"
	case crypto.SHA384:
		return "SHA384"
	case crypto.SHA512:
		return "SHA512"
	}
	return "none"
}

// verify checks sig over signed with the public key of signer. crypto/x509 cannot be asked: it refuses SHA-1
// whatever the operator says and does not look at unusual parameters.
func (a algorithm) verify(signer *x509.Certificate, signed, sig []byte) error {
	digest := signed
	var room [maxHash]byte
	if a.hash != 0 {
		digest = appendSum(room[:0], a.hash, signed)
	}
	switch key := signer.PublicKey.(type) {
	case *rsa.PublicKey:
		if bits := key.N.BitLen(); bits > maxRSABits {
			return fmt.Errorf("RSA key of %d bits, more than %d", bits, maxRSABits)
		}
		switch a.scheme {
		case pkcs1:
			return rsa.VerifyPKCS1v15(key, a.hash, digest, sig)
		case pss:
			// VerifyPSS alone keeps digest from the stack; of a copy, the other kinds of signatures pay nothing for that.
			return rsa.VerifyPSS(key, a.hash, bytes.Clone(digest), sig, &rsa.PSSOptions{SaltLength: a.salt, Hash: a.hash})
		}
	case *ecdsa.PublicKey:
		if a.scheme == ecdsaDER {
			if !ecdsa.VerifyASN1(key, digest, sig) {
				return errors.New("ECDSA verification error")
			}
			return nil
		}
	case ed25519.PublicKey:
		if a.scheme == eddsa {
			if !ed25519.Verify(key, signed, sig) {
				return errors.New("Ed25519 verification error")
			}
			return nil
		}
	}
	return fmt.Errorf("%s signature cannot come from the %s key of %q", a.name, signer.PublicKeyAlgorithm, signer.Subject)
}

// certificateSignature splits a certificate into what is signed, by which algorithm, and the signature.
func certificateSignature(c *x509.Certificate) (signed []byte, a algorithm, sig []byte, err error) {
	root := newInput(c.Raw, "certificate")
	in := root.sub("Certificate", asn1.SEQUENCE)
	root.end()
	signed = in.element("tbsCertificate", asn1.SEQUENCE)
	id := in.element("signatureAlgorithm", asn1.SEQUENCE)
	sig = in.bits("signature")
	in.end()
	if *in.err != nil {
		return nil, a, nil, *in.err
	}
	a, err = readAlgorithm(newInput(id, "signature algorithm"))
	return signed, a, sig, err
}

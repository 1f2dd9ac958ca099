package testca

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"errors"
	"fmt"
)

// signData signs the DER of a ResponseData; algorithm 0 is what fits the key.
func signData(data []byte, key crypto.Signer, algorithm x509.SignatureAlgorithm) (pkix.AlgorithmIdentifier, []byte, error) {
	if algorithm == 0 {
		algorithm = usualAlgorithm(key.Public())
	}
	s, err := newScheme(algorithm)
	if err != nil {
		return s.id, nil, err
	}
	if !s.fits(key.Public()) {
		return s.id, nil, fmt.Errorf("a key of type %T cannot sign with %v", key.Public(), algorithm)
	}
	if h := s.options.HashFunc(); h != 0 {
		data = digest(h, data)
	}
	signature, err := key.Sign(rand.Reader, data, s.options)
	return s.id, signature, err
}

// algorithm is how a key of this CA, or of its delegate, signs; 0 is what is usual for the key. The CA's own
// certificate says whether RSA means RSA-PSS, so that a folder which openssl made with it needs nothing more.
func (c *CA) algorithm(key crypto.PublicKey) x509.SignatureAlgorithm {
	if _, ok := key.(*rsa.PublicKey); ok && isPSS(c.cert.SignatureAlgorithm) {
		return c.cert.SignatureAlgorithm
	}
	return 0
}

func isPSS(a x509.SignatureAlgorithm) bool {
	return a == x509.SHA256WithRSAPSS || a == x509.SHA384WithRSAPSS || a == x509.SHA512WithRSAPSS
}

// checkPSS refuses what algorithm could not find again.
func checkPSS(o InitOptions) error {
	switch {
	case !o.PSS:
		return nil
	case o.Key != RSA:
		return errors.New("RSA-PSS wants a key of type rsa")
	case o.Parent != nil && o.Parent.algorithm(o.Parent.key.Public()) == 0:
		return fmt.Errorf("CA %q in %s does not sign with RSA-PSS, so a CA below it can't either", o.Parent.cert.Subject.CommonName, o.Parent.dir)
	}
	return nil
}

// usualAlgorithm gives 0 for a kind of key that cannot sign.
func usualAlgorithm(key crypto.PublicKey) x509.SignatureAlgorithm {
	switch k := key.(type) {
	case *rsa.PublicKey:
		return x509.SHA256WithRSA
	case *ecdsa.PublicKey:
		switch size := k.Curve.Params().BitSize; {
		case size > 384:
			return x509.ECDSAWithSHA512
		case size > 256:
			return x509.ECDSAWithSHA384
		}
		return x509.ECDSAWithSHA256
	case ed25519.PublicKey:
		return x509.PureEd25519
	}
	return 0
}

// scheme is how to sign with one algorithm.
type scheme struct {
	id      pkix.AlgorithmIdentifier
	options crypto.SignerOpts
	key     x509.PublicKeyAlgorithm
}

func newScheme(a x509.SignatureAlgorithm) (scheme, error) {
	switch a {
	case x509.SHA1WithRSA:
		return rsaScheme(5, crypto.SHA1), nil
	case x509.SHA256WithRSA:
		return rsaScheme(11, crypto.SHA256), nil
	case x509.SHA384WithRSA:
		return rsaScheme(12, crypto.SHA384), nil
	case x509.SHA512WithRSA:
		return rsaScheme(13, crypto.SHA512), nil
	case x509.SHA256WithRSAPSS:
		return pssScheme(crypto.SHA256)
	case x509.SHA384WithRSAPSS:
		return pssScheme(crypto.SHA384)
	case x509.SHA512WithRSAPSS:
		return pssScheme(crypto.SHA512)
	case x509.ECDSAWithSHA1:
		return ecdsaScheme(crypto.SHA1, 1), nil
	case x509.ECDSAWithSHA256:
		return ecdsaScheme(crypto.SHA256, 3, 2), nil
	case x509.ECDSAWithSHA384:
		return ecdsaScheme(crypto.SHA384, 3, 3), nil
	case x509.ECDSAWithSHA512:
		return ecdsaScheme(crypto.SHA512, 3, 4), nil
	case x509.PureEd25519:
		return scheme{pkix.AlgorithmIdentifier{Algorithm: asn1.ObjectIdentifier{1, 3, 101, 112}}, crypto.Hash(0), x509.Ed25519}, nil
	}
	return scheme{}, fmt.Errorf("signature algorithm %v is not supported", a)
}

func (s scheme) fits(key crypto.PublicKey) bool {
	switch key.(type) {
	case *rsa.PublicKey:
		return s.key == x509.RSA
	case *ecdsa.PublicKey:
		return s.key == x509.ECDSA
	case ed25519.PublicKey:
		return s.key == x509.Ed25519
	}
	return false
}

// rsaScheme: RFC 8017, A.2.4; the last number of the identifier differs.
func rsaScheme(last int, h crypto.Hash) scheme {
	oid := asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 1, last}
	return scheme{pkix.AlgorithmIdentifier{Algorithm: oid, Parameters: asn1.NullRawValue}, h, x509.RSA}
}

// ecdsaScheme: RFC 5758, 3.2; no parameters.
func ecdsaScheme(h crypto.Hash, last ...int) scheme {
	oid := append(asn1.ObjectIdentifier{1, 2, 840, 10045, 4}, last...)
	return scheme{pkix.AlgorithmIdentifier{Algorithm: oid}, h, x509.ECDSA}
}

// pssScheme is RSASSA-PSS with one hash throughout and a salt of its size
// (RFC 4055, 3.1).
func pssScheme(h crypto.Hash) (scheme, error) {
	id := pkix.AlgorithmIdentifier{Algorithm: hashOID(h), Parameters: asn1.NullRawValue}
	hash, err := asn1.Marshal(id)
	if err != nil {
		return scheme{}, err
	}
	parameters, err := asn1.Marshal(struct {
		Hash pkix.AlgorithmIdentifier `asn1:"explicit,tag:0"`
		MGF  pkix.AlgorithmIdentifier `asn1:"explicit,tag:1"`
		Salt int                      `asn1:"explicit,tag:2"`
	}{
		id,
		pkix.AlgorithmIdentifier{
			Algorithm:  asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 1, 8},
			Parameters: asn1.RawValue{FullBytes: hash},
		},
		h.Size(),
	})
	return scheme{
		pkix.AlgorithmIdentifier{
			Algorithm:  asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 1, 10},
			Parameters: asn1.RawValue{FullBytes: parameters},
		},
		&rsa.PSSOptions{SaltLength: h.Size(), Hash: h}, x509.RSA,
	}, err
}

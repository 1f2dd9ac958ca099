package testca

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"strings"
)

// KeyType names the kind of a private key.
type KeyType string

// The kinds of keys that Init and Issue can make. The empty KeyType is ECDSA.
const (
	ECDSA    KeyType = "ecdsa"    // P-256
	ECDSA384 KeyType = "ecdsa384" // P-384
	ECDSA521 KeyType = "ecdsa521" // P-521
	RSA      KeyType = "rsa"      // 2048 bits
	Ed25519  KeyType = "ed25519"
)

// newKey makes a private key of the kind t.
func newKey(t KeyType) (crypto.Signer, error) {
	switch t {
	case "", ECDSA:
		return ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	case ECDSA384:
		return ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	case ECDSA521:
		return ecdsa.GenerateKey(elliptic.P521(), rand.Reader)
	case RSA:
		return rsa.GenerateKey(rand.Reader, 2048)
	case Ed25519:
		_, key, err := ed25519.GenerateKey(rand.Reader)
		return key, err
	}
	return nil, fmt.Errorf("key type %q: want ecdsa, ecdsa384, ecdsa521, rsa or ed25519", t)
}

// encodeKey gives the PKCS #8 PEM block of a key, encrypted where there is a
// password.
func encodeKey(key crypto.Signer, password []byte) ([]byte, error) {
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, err
	}
	if len(password) == 0 {
		return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), nil
	}
	if der, err = encrypt(der, password); err != nil {
		return nil, err
	}
	return pem.EncodeToMemory(&pem.Block{Type: "ENCRYPTED PRIVATE KEY", Bytes: der}), nil
}

// decodeKey reads the first private key of a PEM file, in PKCS #8 or in the older
// forms that openssl writes without a password. The password is for the
// encrypted form alone.
func decodeKey(text, password []byte) (crypto.Signer, error) {
	for {
		block, rest := pem.Decode(text)
		if block == nil {
			return nil, errors.New("no private key found")
		}
		text = rest
		if !strings.HasSuffix(block.Type, "PRIVATE KEY") {
			continue
		}
		key, err := parseKey(block, password)
		if err != nil {
			return nil, err
		}
		signer, ok := key.(crypto.Signer)
		if !ok {
			return nil, fmt.Errorf("a key of type %T cannot sign", key)
		}
		return signer, nil
	}
}

func parseKey(block *pem.Block, password []byte) (any, error) {
	if block.Headers["DEK-Info"] != "" {
		return nil, errors.New("the private key is encrypted in the form before PKCS #8; openssl pkcs8 -topk8 changes it")
	}
	switch block.Type {
	case "PRIVATE KEY":
		return x509.ParsePKCS8PrivateKey(block.Bytes)
	case "EC PRIVATE KEY":
		return x509.ParseECPrivateKey(block.Bytes)
	case "RSA PRIVATE KEY":
		return x509.ParsePKCS1PrivateKey(block.Bytes)
	case "ENCRYPTED PRIVATE KEY":
	default:
		return nil, fmt.Errorf("%.40q is no kind of private key that is known", block.Type)
	}
	if len(password) == 0 {
		return nil, errors.New("the private key is encrypted, and no password is given")
	}
	der, err := decrypt(block.Bytes, password)
	if err != nil {
		return nil, err
	}
	key, err := x509.ParsePKCS8PrivateKey(der)
	if err != nil {
		return nil, errPassword // its padding can be right by chance
	}
	return key, nil
}

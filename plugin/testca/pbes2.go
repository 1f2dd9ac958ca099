package testca

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/des"
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/x509/pkix"
	"encoding/asn1"
	"errors"
	"fmt"
	"hash"

	"golang.org/x/crypto/scrypt"
)

// Encrypted private keys: PKCS #8 EncryptedPrivateKeyInfo (RFC 5958, 3) with
// PBES2 (RFC 8018, 6.2), as `openssl pkcs8 -topk8` writes and reads them.

// Bounds of what a file may ask for, so that a key that is damaged ends in an
// error and not in hours of work.
const (
	maxIterations   = 2_000_000
	maxScryptMemory = 64 << 20
	ourIterations   = 100_000
)

type encryptedKey struct {
	Algorithm struct {
		ID         asn1.ObjectIdentifier
		Parameters pbes2
	}
	Data []byte
}

type pbes2 struct {
	Derivation, Encryption pkix.AlgorithmIdentifier
}

type pbkdf2Parameters struct {
	Salt       []byte
	Iterations int
	KeyLength  int                      `asn1:"optional"`
	PRF        pkix.AlgorithmIdentifier `asn1:"optional"`
}

type scryptParameters struct {
	Salt      []byte
	N, R, P   int
	KeyLength int `asn1:"optional"`
}

func oidPBES2() asn1.ObjectIdentifier  { return asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 5, 13} }
func oidPBKDF2() asn1.ObjectIdentifier { return asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 5, 12} }
func oidAES256() asn1.ObjectIdentifier { return asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 1, 42} }
func oidHMACSHA256() asn1.ObjectIdentifier {
	return asn1.ObjectIdentifier{1, 2, 840, 113549, 2, 9}
}

// encrypt gives the DER of an EncryptedPrivateKeyInfo: PBKDF2 with HMAC-SHA-256,
// and AES-256-CBC, openssl's own choice.
func encrypt(der, password []byte) ([]byte, error) {
	random := make([]byte, 16+aes.BlockSize)
	if _, err := rand.Read(random); err != nil {
		return nil, err
	}
	salt, iv := random[:16], random[16:]
	derivation, err := asn1.Marshal(pbkdf2Parameters{
		Salt: salt, Iterations: ourIterations,
		PRF: pkix.AlgorithmIdentifier{Algorithm: oidHMACSHA256(), Parameters: asn1.NullRawValue},
	})
	if err != nil {
		return nil, err
	}
	vector, err := asn1.Marshal(iv)
	if err != nil {
		return nil, err
	}
	key, err := pbkdf2.Key(sha256.New, string(password), salt, ourIterations, 32)
	if err != nil {
		return nil, err
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	padding := aes.BlockSize - len(der)%aes.BlockSize
	e := encryptedKey{Data: append(bytes.Clone(der), bytes.Repeat([]byte{byte(padding)}, padding)...)}
	cipher.NewCBCEncrypter(block, iv).CryptBlocks(e.Data, e.Data)
	e.Algorithm.ID = oidPBES2()
	e.Algorithm.Parameters = pbes2{
		Derivation: pkix.AlgorithmIdentifier{Algorithm: oidPBKDF2(), Parameters: asn1.RawValue{FullBytes: derivation}},
		Encryption: pkix.AlgorithmIdentifier{Algorithm: oidAES256(), Parameters: asn1.RawValue{FullBytes: vector}},
	}
	return asn1.Marshal(e)
}

var errPassword = errors.New("the password is wrong, or the key is damaged")

// decrypt gives the DER of the PrivateKeyInfo inside.
func decrypt(der, password []byte) ([]byte, error) {
	var e encryptedKey
	if rest, err := asn1.Unmarshal(der, &e); err != nil || len(rest) > 0 || !e.Algorithm.ID.Equal(oidPBES2()) {
		return nil, errors.New("the private key is not encrypted by PBES2; openssl pkcs8 -topk8 makes it so")
	}
	newCipher, size, err := keyCipher(e.Algorithm.Parameters.Encryption.Algorithm)
	if err != nil {
		return nil, err
	}
	key, err := derive(e.Algorithm.Parameters.Derivation, password, size)
	if err != nil {
		return nil, err
	}
	block, err := newCipher(key)
	if err != nil {
		return nil, err
	}
	var iv []byte
	if _, err := asn1.Unmarshal(e.Algorithm.Parameters.Encryption.Parameters.FullBytes, &iv); err != nil || len(iv) != block.BlockSize() {
		return nil, errPassword
	}
	n := len(e.Data)
	if n == 0 || n%block.BlockSize() != 0 {
		return nil, errPassword
	}
	cipher.NewCBCDecrypter(block, iv).CryptBlocks(e.Data, e.Data)
	padding := int(e.Data[n-1])
	if padding == 0 || padding > block.BlockSize() || !bytes.Equal(e.Data[n-padding:], bytes.Repeat([]byte{byte(padding)}, padding)) {
		return nil, errPassword
	}
	return e.Data[:n-padding], nil
}

func keyCipher(id asn1.ObjectIdentifier) (newCipher func([]byte) (cipher.Block, error), size int, err error) {
	switch id.String() {
	case "2.16.840.1.101.3.4.1.2":
		return aes.NewCipher, 16, nil
	case "2.16.840.1.101.3.4.1.22":
		return aes.NewCipher, 24, nil
	case oidAES256().String():
		return aes.NewCipher, 32, nil
	case "1.2.840.113549.3.7":
		return des.NewTripleDESCipher, 24, nil
	}
	return nil, 0, fmt.Errorf("the private key is encrypted by cipher %v: want AES or 3DES, in CBC mode", id)
}

// derive makes the key of a cipher out of the password.
func derive(a pkix.AlgorithmIdentifier, password []byte, size int) ([]byte, error) {
	switch a.Algorithm.String() {
	case oidPBKDF2().String():
		var p pbkdf2Parameters
		if _, err := asn1.Unmarshal(a.Parameters.FullBytes, &p); err != nil {
			return nil, fmt.Errorf("parameters of PBKDF2: %w", err)
		}
		if p.Iterations < 1 || p.Iterations > maxIterations {
			return nil, fmt.Errorf("PBKDF2 with %d iterations, want 1 to %d", p.Iterations, maxIterations)
		}
		h, err := prf(p.PRF.Algorithm)
		if err != nil {
			return nil, err
		}
		return pbkdf2.Key(h, string(password), p.Salt, p.Iterations, size)
	case "1.3.6.1.4.1.11591.4.11": // RFC 7914, 7
		var p scryptParameters
		if _, err := asn1.Unmarshal(a.Parameters.FullBytes, &p); err != nil {
			return nil, fmt.Errorf("parameters of scrypt: %w", err)
		}
		if p.N < 2 || p.R < 1 || p.P < 1 || p.P > 64 || p.R > 1024 || p.N > maxScryptMemory/128/p.R {
			return nil, fmt.Errorf("scrypt with N %d, r %d, p %d takes more than %d bytes", p.N, p.R, p.P, maxScryptMemory)
		}
		return scrypt.Key(password, p.Salt, p.N, p.R, p.P, size)
	}
	return nil, fmt.Errorf("key derivation %v: want PBKDF2 or scrypt", a.Algorithm)
}

// prf gives the hash under PBKDF2's HMAC; none is named for SHA-1.
func prf(id asn1.ObjectIdentifier) (func() hash.Hash, error) {
	switch id.String() {
	case "", "1.2.840.113549.2.7":
		return sha1.New, nil
	case "1.2.840.113549.2.8":
		return sha256.New224, nil
	case oidHMACSHA256().String():
		return sha256.New, nil
	case "1.2.840.113549.2.10":
		return sha512.New384, nil
	case "1.2.840.113549.2.11":
		return sha512.New, nil
	}
	return nil, fmt.Errorf("PBKDF2 with function %v: want HMAC with SHA-1 or SHA-2", id)
}

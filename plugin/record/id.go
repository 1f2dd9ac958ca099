package record

import (
	"crypto/sha256"
	"encoding/hex"
)

// idLength is the length of an id in hex digits.
const idLength = 2 * sha256.Size

// ValidID reports whether s is an id: the lower-case hex SHA-256 of a leaf
// certificate's DER. Only such a string may become part of a key or of a file
// name.
func ValidID(s string) bool {
	if len(s) != idLength {
		return false
	}
	for i := 0; i < len(s); i++ {
		c := s[i]
		if (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return false
		}
	}
	return true
}

// Bucket is the bucket of v1/wanted that holds id: its first two hex digits.
// The id must be valid.
func Bucket(id string) string { return id[:2] }

// hash is the id of a certificate with this DER, and the checksum of a
// response.
func hash(der []byte) string {
	sum := sha256.Sum256(der)
	return hex.EncodeToString(sum[:])
}

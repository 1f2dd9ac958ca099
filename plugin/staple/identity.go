package staple

import (
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"math/big"

	"golang.org/x/crypto/cryptobyte/asn1"
)

// ID returns the lower-case hex SHA-256 of the leaf's DER: the id of a certificate everywhere in consul-ocsp, and
// what `openssl x509 -fingerprint -sha256` prints, less colons and case.
func ID(leaf *x509.Certificate) string {
	h := sha256.Sum256(leaf.Raw)
	return hex.EncodeToString(h[:])
}

// ValidID reports whether s has the form that ID returns: 64 lower-case hex digits.
func ValidID(s string) bool {
	if len(s) != 2*sha256.Size {
		return false
	}
	for _, c := range []byte(s) {
		if (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return false
		}
	}
	return true
}

// Names returns the DNS names and then the IP addresses of the leaf's subjectAltName; the common name if there are
// none; nothing if that is empty too. They are as the CA wrote them: check before they become part of a path.
func Names(leaf *x509.Certificate) []string {
	names := append([]string(nil), leaf.DNSNames...)
	for _, ip := range leaf.IPAddresses {
		names = append(names, ip.String())
	}
	if len(names) == 0 && leaf.Subject.CommonName != "" {
		names = append(names, leaf.Subject.CommonName)
	}
	return names
}

const (
	oidTLSFeature = "1.3.6.1.5.5.7.1.24"
	statusRequest = 5 // TLS extension status_request
)

// MustStaple reports whether the leaf demands a staple: a TLS feature extension (RFC 7633) that lists
// status_request. An extension that cannot be read demands nothing.
func MustStaple(leaf *x509.Certificate) bool {
	for _, e := range leaf.Extensions {
		if e.Id.String() != oidTLSFeature {
			continue
		}
		root := newInput(e.Value, "TLS feature")
		list := root.sub("Features", asn1.SEQUENCE)
		root.end()
		found := false
		for list.more() {
			n := list.integer("feature")
			found = found || n.IsInt64() && n.Int64() == statusRequest
		}
		return found && *list.err == nil
	}
	return false
}

// serialHex writes a serial number as openssl does, in lower case: whole bytes without colons, "-" if negative.
func serialHex(n *big.Int) string {
	var room [32]byte // serial numbers have up to 20 (RFC 5280 section 4.1.2.2)
	var b []byte
	if size := (n.BitLen() + 7) / 8; size <= len(room) {
		b = n.FillBytes(room[:size])
	} else {
		b = n.Bytes()
	}
	s := hex.EncodeToString(b)
	if s == "" {
		s = "00"
	}
	if n.Sign() < 0 {
		s = "-" + s
	}
	return s
}

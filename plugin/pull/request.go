package pull

import (
	"bytes"
	"encoding/asn1"
	"encoding/base64"
	"errors"
	"net/url"
	"strings"

	"golang.org/x/crypto/cryptobyte"
	tag "golang.org/x/crypto/cryptobyte/asn1"
)

// maxRequest bounds a request, in bytes: one of a single certificate takes
// some 80, and a nonce and a signature a few hundred.
const maxRequest = 8 << 10

var (
	errMalformed = errors.New("this is no OCSP request")
	// errForeign is for requests that a pre-signed response can't answer.
	errForeign = errors.New("neither SHA-1 nor one certificate")
)

// key identifies a certificate as a request with SHA-1 does: hash of the
// issuer's name, hash of its key, serial number (RFC 6960 section 4.1.1).
type key string

// parseRequest is what a request in DER asks for.
func parseRequest(der []byte) (key, error) {
	input := cryptobyte.String(der)
	var request, tbs, list cryptobyte.String
	if len(der) > maxRequest || !input.ReadASN1(&request, tag.SEQUENCE) || !input.Empty() ||
		!request.ReadASN1(&tbs, tag.SEQUENCE) ||
		!request.SkipOptionalASN1(explicit(0)) || !request.Empty() || // signature
		!tbs.SkipOptionalASN1(explicit(0)) || !tbs.SkipOptionalASN1(explicit(1)) || // version, requestor
		!tbs.ReadASN1(&list, tag.SEQUENCE) ||
		!tbs.SkipOptionalASN1(explicit(2)) || !tbs.Empty() { // extensions
		return "", errMalformed
	}
	var one cryptobyte.String
	var id cryptobyte.String
	if !list.ReadASN1(&one, tag.SEQUENCE) || !one.ReadASN1Element(&id, tag.SEQUENCE) {
		return "", errMalformed
	}
	k, err := parseCertID(id)
	if err == nil && !list.Empty() {
		return "", errForeign
	}
	return k, err
}

func explicit(n uint8) tag.Tag { return tag.Tag(n).Constructed().ContextSpecific() }

var sha1OID = asn1.ObjectIdentifier{1, 3, 14, 3, 2, 26}

// parseCertID is the key of a CertID in DER.
func parseCertID(der []byte) (key, error) {
	input := cryptobyte.String(der)
	var id, algorithm, name, issuer, serial cryptobyte.String
	var hash asn1.ObjectIdentifier
	if !input.ReadASN1(&id, tag.SEQUENCE) || !input.Empty() ||
		!id.ReadASN1(&algorithm, tag.SEQUENCE) || !algorithm.ReadASN1ObjectIdentifier(&hash) ||
		!id.ReadASN1(&name, tag.OCTET_STRING) || !id.ReadASN1(&issuer, tag.OCTET_STRING) ||
		!id.ReadASN1(&serial, tag.INTEGER) || !id.Empty() || len(serial) == 0 {
		return "", errMalformed
	}
	if !hash.Equal(sha1OID) {
		return "", errForeign
	}
	if len(name) != 20 || len(issuer) != 20 || len(serial) > 64 {
		return "", errMalformed
	}
	return key(bytes.Join([][]byte{name, issuer, serial}, nil)), nil
}

// maxStarts is at how many places of a path a request is looked for: each costs
// the decoding of all that follows it.
const maxStarts = 16

// fromPath is the request in the path of a GET (RFC 6960 appendix A.1.1): the
// base64 of its DER, percent-encoded. Whoever passes on requests for many
// responders, or for one below a folder, leaves the path of the responder
// before it.
func fromPath(escaped string) ([]byte, error) {
	// DER begins with 0x30, which base64 writes as "M". Slashes before it are of
	// the path, slashes after it may be base64's own.
	for range maxStarts {
		at := strings.Index(escaped, "/M")
		if at < 0 {
			break
		}
		escaped = escaped[at+1:]
		if der, err := decode(escaped); err == nil {
			return der, nil
		}
	}
	return nil, errMalformed
}

func decode(text string) ([]byte, error) {
	if len(text) > 3*maxRequest {
		return nil, errMalformed
	}
	text, err := url.PathUnescape(text)
	if err != nil {
		return nil, err
	}
	// Some leave out the padding, some percent-decode "+" to a space.
	text = strings.TrimRight(strings.ReplaceAll(text, " ", "+"), "=")
	der, err := base64.RawStdEncoding.DecodeString(text)
	if err != nil {
		return nil, err
	}
	if len(der) < 2 || der[0] != 0x30 {
		return nil, errMalformed
	}
	return der, nil
}

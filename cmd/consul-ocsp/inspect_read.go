package main

import (
	"bytes"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"github.com/consul-ocsp/consul-ocsp/plugin/staple"
)

// held is a certificate with what lies in its file besides.
type held struct {
	path   string
	leaf   *x509.Certificate
	others []*x509.Certificate
}

// subject is what a file turned out to hold: a certificate, else the DER of
// what is taken for a response.
type subject struct {
	held     *held
	response []byte
}

// readBounded reads no more of a file than certificates and responses need.
func readBounded(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, staple.MaxPEM+1))
	switch {
	case err != nil:
		return nil, err
	case len(data) > staple.MaxPEM:
		return nil, fmt.Errorf("%s: larger than %d bytes", path, staple.MaxPEM)
	case len(bytes.TrimSpace(data)) == 0:
		return nil, fmt.Errorf("%s: empty", path)
	}
	return data, nil
}

func readSubject(path string) (subject, error) {
	data, err := readBounded(path)
	if err != nil {
		return subject{}, err
	}
	return identify(path, data)
}

// identify finds out what a file holds. DER and base64 that is no certificate
// is taken for a response, so that a broken one is explained; anything may be
// one in a file that is named so.
func identify(path string, data []byte) (subject, error) {
	if bytes.Contains(data, []byte("-----BEGIN ")) {
		if block, _ := pem.Decode(data); block != nil && block.Type == "OCSP RESPONSE" {
			return subject{response: block.Bytes}, nil
		}
		h, err := parseHeld(path, data)
		return subject{held: h}, err
	}
	der := data
	if !bytes.HasPrefix(data, []byte{0x30}) { // every certificate and response is a SEQUENCE
		if decoded, err := decodeBase64(data); err == nil {
			der = decoded
		} else if besideResponse(path) == nil {
			return subject{}, fmt.Errorf("%s: neither a certificate nor an OCSP response", path)
		}
	}
	if h, err := parseHeld(path, der); err == nil {
		return subject{held: h}, nil
	}
	return subject{response: der}, nil
}

func decodeBase64(data []byte) ([]byte, error) {
	text := bytes.Join(bytes.Fields(data), nil)
	out := make([]byte, base64.StdEncoding.DecodedLen(len(text)))
	n, err := base64.StdEncoding.Decode(out, text)
	return out[:n], err
}

// readHeld reads a certificate and what else is in its file.
func readHeld(path string) (*held, error) {
	data, err := readBounded(path)
	if err != nil {
		return nil, err
	}
	return parseHeld(path, data)
}

func parseHeld(path string, data []byte) (*held, error) {
	bundle, err := staple.ParseBundle(data)
	if err == nil {
		return &held{path, bundle.Leaf, bundle.Others}, nil
	}
	// DER and PKCS #7 are no bundles; what is wrong with a PEM the bundle says.
	list, other := staple.ParseCertificates(data)
	switch {
	case other == nil:
		return &held{path, list[0], list[1:]}, nil
	case bytes.Contains(data, []byte("-----BEGIN ")):
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return nil, fmt.Errorf("%s: %w", path, other)
}

// issuer finds who issued the certificate, and says where, or why not. What
// -issuer names is given back even if it does not fit, so that this is shown.
func (h *held) issuer(named string) (cert *x509.Certificate, where string, err error) {
	if named != "" {
		list, err := readCertificates(named)
		if err != nil {
			return nil, "", err
		}
		if cert := staple.FindIssuer(h.leaf, list); cert != nil {
			return cert, "in " + named, nil
		}
		return list[0], "in " + named + ", but it did not issue this certificate", nil
	}
	if cert := staple.FindIssuer(h.leaf, h.others); cert != nil {
		return cert, "in the same file", nil
	}
	beside := h.path + ".issuer"
	list, err := readCertificates(beside)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, "not found: neither in the file nor in " + beside + "; give it with -issuer", nil
	case err != nil:
		return nil, "not found: " + err.Error(), nil
	}
	if cert := staple.FindIssuer(h.leaf, list); cert != nil {
		return cert, "in " + beside, nil
	}
	return nil, "not found: no certificate in " + beside + " issued this one", nil
}

func readCertificates(path string) ([]*x509.Certificate, error) {
	data, err := readBounded(path)
	if err != nil {
		return nil, err
	}
	list, err := staple.ParseCertificates(data)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return list, nil
}

package testca

import (
	"encoding/base64"
	"errors"
	"io"
	"net/url"
	"strings"

	"golang.org/x/crypto/ocsp"
)

// maxRequest bounds an OCSP request, in a body as in a path.
const maxRequest = 16 << 10

// maxPrefix bounds the slashes before the request in a path.
const maxPrefix = 16

func requestInBody(body io.Reader) (*ocsp.Request, error) {
	der, err := io.ReadAll(body)
	if err != nil {
		return nil, err
	}
	return ocsp.ParseRequest(der)
}

// requestInPath finds the base64 of a request in an escaped path. Where it begins
// is not known: the responder's URL may have a path of its own, and `/` is a
// letter of base64. So the places behind the first slashes are tried, from the
// left.
func requestInPath(path string) (*ocsp.Request, error) {
	if len(path) > maxRequest {
		return nil, errors.New("path too long")
	}
	for range maxPrefix {
		_, rest, found := strings.Cut(path, "/")
		if !found {
			break
		}
		path = rest
		if asked, err := decodePath(path); err == nil {
			return asked, nil
		}
	}
	return nil, errors.New("no OCSP request in the path")
}

func decodePath(escaped string) (*ocsp.Request, error) {
	text, err := url.PathUnescape(escaped)
	if err != nil {
		return nil, err
	}
	der, err := base64.RawStdEncoding.DecodeString(strings.TrimRight(text, "="))
	if err != nil {
		return nil, err
	}
	return ocsp.ParseRequest(der)
}

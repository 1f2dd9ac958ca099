package responder

import (
	"errors"
	"fmt"
	"net/url"
	"strings"
)

// maxURL bounds a URL of a certificate or a redirect, in bytes.
const maxURL = 2048

// parseURL reads the URL of a responder or of an issuer certificate, or a
// redirect's target. What it refuses is never dialled.
func parseURL(s string) (*url.URL, error) {
	if len(s) > maxURL {
		return nil, fmt.Errorf("%d bytes, more than %d", len(s), maxURL)
	}
	u, err := url.Parse(s)
	if err != nil {
		return nil, errors.Unwrap(err) // the URL itself is named by the Failure
	}
	u.Scheme = strings.ToLower(u.Scheme)
	switch {
	case u.Scheme != "http" && u.Scheme != "https":
		return nil, fmt.Errorf("scheme %.20q, not http or https", u.Scheme)
	case u.Opaque != "" || u.Hostname() == "":
		return nil, errors.New("no host")
	case u.User != nil:
		return nil, errors.New("a user name or password in it")
	}
	u.Fragment, u.RawFragment = "", ""
	return u, nil
}

// withoutPassword is a URL as it may be shown: a certificate or a command line may
// have one with user and password, which is refused, and not repeated.
func withoutPassword(s string) string {
	u, err := url.Parse(s)
	switch {
	case err == nil && u.User != nil:
		return u.Redacted()
	case err != nil && strings.Contains(s, "@"):
		return "…@" + s[strings.LastIndex(s, "@")+1:]
	}
	return s
}

// validHost says whether s can be a Host header: nothing that would end the
// header or start another part of the request.
func validHost(s string) bool {
	if len(s) > 255 {
		return false
	}
	for i := 0; i < len(s); i++ {
		if c := s[i]; c <= ' ' || c >= 0x7f || strings.IndexByte(`/\?#@"<>`, c) >= 0 {
			return false
		}
	}
	return true
}

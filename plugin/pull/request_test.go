package pull

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"golang.org/x/crypto/ocsp"
)

// A request is found below the folders that come before it, but not at any cost:
// each place where one could begin is a decoding of all that follows.
func TestPathsAreBounded(t *testing.T) {
	const request = "/MEUwQzBBMD8wPTAJBgUrDgMCGgUABBQ="
	if _, err := fromPath(strings.Repeat("/M", maxStarts-1) + request); err != nil {
		t.Errorf("below %d folders: %v", maxStarts-1, err)
	}
	if _, err := fromPath(strings.Repeat("/M", maxStarts) + request); !errors.Is(err, errMalformed) {
		t.Errorf("a request at place %d was found: %v", maxStarts+1, err)
	}
}

// FuzzRequest reads what anybody may send: whatever is read as a request for one
// certificate, another reader takes for the same certificate.
func FuzzRequest(f *testing.F) {
	f.Add([]byte("/MEUwQzBBMD8wPTAJBgUrDgMCGgUABBQ="))
	f.Add([]byte("/" + strings.Repeat("M/", 4000)))
	f.Add([]byte("/My/CA/" + strings.Repeat("M%2F", 40) + "MEUwQzBBMD8wPTAJBgUrDgMCGgUABBQ="))
	f.Add([]byte{0x30, 0x03, 0x0a, 0x01, 0x06})
	f.Fuzz(func(t *testing.T, b []byte) {
		if der, err := fromPath(string(b)); err == nil && (len(der) < 2 || der[0] != 0x30) {
			t.Errorf("%q is read as %x", b, der)
		}
		k, err := parseRequest(b)
		if err != nil {
			if !errors.Is(err, errMalformed) && !errors.Is(err, errForeign) {
				t.Errorf("error %v", err)
			}
			return
		}
		other, err := ocsp.ParseRequest(b)
		if err != nil {
			return // it knows fewer forms
		}
		if got := []byte(k); !bytes.Equal(got[:20], other.IssuerNameHash) || !bytes.Equal(got[20:40], other.IssuerKeyHash) {
			t.Errorf("%x is read as a request for %x", b, got)
		}
	})
}

package responder

import (
	"testing"
	"time"

	"golang.org/x/crypto/ocsp"

	"github.com/consul-ocsp/consul-ocsp/plugin/testca"
)

func TestSniff(t *testing.T) {
	for _, c := range []struct {
		name   string
		body   string
		status int
		form   form
	}{
		{"try later", "\x30\x03\x0a\x01\x03", 3, wellFormed},
		{"long form", "\x30\x81\x03\x0a\x01\x01", 1, wellFormed},
		{"bytes after it are the verifier's", "\x30\x03\x0a\x01\x06junk", 6, wellFormed},
		{"cut", "\x30\x82\x10\x00\x0a\x01\x00", 0, cut},
		{"huge length", "\x30\x84\xff\xff\xff\xff\x0a\x01\x00", 0, cut},
		{"empty", "", 0, foreign},
		{"zero", "0", 0, foreign},
		{"indefinite length", "\x30\x80\x0a\x01\x00\x00\x00", 0, foreign},
		{"length of eight bytes", "\x30\x88\x00\x00\x00\x00\x00\x00\x00\x03\x0a\x01\x00", 0, foreign},
		{"a certificate", "\x30\x82\x01\x00\x30\x82", 0, foreign},
		{"html", "<html>", 0, foreign},
	} {
		status, form := sniff([]byte(c.body))
		if status != c.status || form != c.form {
			t.Errorf("%s: %d %v, want %d %v", c.name, status, form, c.status, c.form)
		}
	}
}

func FuzzSniff(f *testing.F) {
	f.Add(testca.ErrorResponse(ocsp.TryLater))
	f.Add([]byte("\x30\x82\x10\x00\x0a\x01\x00"))
	f.Add([]byte("<html>"))
	f.Fuzz(func(t *testing.T, b []byte) {
		status, form := sniff(b)
		if status < 0 || status > 255 || form != wellFormed && status != 0 {
			t.Errorf("%x: status %d, form %v", b, status, form)
		}
	})
}

func TestRetryAfter(t *testing.T) {
	now := time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)
	for v, want := range map[string]time.Duration{
		"":                              0,
		"0":                             0,
		"120":                           2 * time.Minute,
		" 7 ":                           7 * time.Second,
		"-5":                            0,
		"1.5":                           0,
		"soon":                          0,
		"99999999999999999999":          maxRetryAfter,
		"86401":                         maxRetryAfter,
		"Sat, 21 Nov 2026 12:01:00 GMT": time.Minute,
		"Sat, 21 Nov 2026 11:00:00 GMT": 0,
		"Sat, 21 Nov 2099 11:00:00 GMT": maxRetryAfter,
	} {
		if got := parseRetryAfter(v, now); got != want {
			t.Errorf("%q: %v, want %v", v, got, want)
		}
	}
}

func FuzzRetryAfter(f *testing.F) {
	for _, seed := range []string{"120", "Sat, 21 Nov 2026 12:01:00 GMT", "-1", "99999999999999999999", ""} {
		f.Add(seed, int64(1_795_000_000))
	}
	f.Fuzz(func(t *testing.T, v string, now int64) {
		if d := parseRetryAfter(v, time.Unix(now, 0)); d < 0 || d > maxRetryAfter {
			t.Errorf("%q: %v", v, d)
		}
	})
}

func FuzzParseURL(f *testing.F) {
	for _, seed := range []string{"http://ocsp.example.com", "https://[::1]:80/a?b#c", "ldap:///x", "http:opaque", "HTTP://A%20b/"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, s string) {
		u, err := parseURL(s)
		if err != nil {
			return
		}
		if u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" || u.User != nil {
			t.Errorf("%q: accepted as %v", s, u)
		}
		if get := getURL(u, []byte("DER")); get != "" {
			if again, err := parseURL(get); err == nil && again.Host != u.Host {
				t.Errorf("%q: the request goes to %q, not to %q", s, again.Host, u.Host)
			}
		}
	})
}

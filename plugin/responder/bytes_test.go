package responder

import (
	"net/http"
	"strings"
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

func TestMaxAge(t *testing.T) {
	now := time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		control, age string
		old          time.Duration // of the server's Date; < 0: none
		want         time.Duration // after now; < 0: none
	}{
		{"max-age=3600", "", 0, time.Hour},
		{"public, MAX-AGE=3600 , must-revalidate", "", 0, time.Hour},
		{`max-age="3600"`, "", 0, time.Hour},
		{"max-age=3600", "", -1, time.Hour},
		{"max-age=3600", "", 20 * time.Minute, 40 * time.Minute},
		{"max-age=3600", "600", 20 * time.Minute, 40 * time.Minute},
		{"max-age=3600", "1800", 20 * time.Minute, 30 * time.Minute},
		{"max-age=3600", "", -10 * time.Minute, time.Hour},
		{"max-age=3600", "soon", 0, time.Hour},
		{"max-age=3600", "99999999999999999999", 0, 0},
		{"max-age=60", "", time.Hour, 0},
		{"max-age=7200, max-age=3600", "", 0, time.Hour},
		{"max-age=315360000000", "", 0, maxMaxAge},
		{"max-age=0", "", 0, -1},
		{"max-age=-1", "", 0, -1},
		{"max-age=soon", "", 0, -1},
		{"no-cache, max-age=60", "", 0, -1},
		{"no-store", "", 0, -1},
		{"s-maxage=60", "", 0, -1},
		{"", "", 0, -1},
	} {
		h := http.Header{"Cache-Control": {c.control}, "Age": {c.age}}
		date := now.Add(-c.old)
		if c.old == -1 {
			date = time.Time{}
		}
		got := freshUntil(h, date, now)
		if c.want < 0 != got.IsZero() || c.want >= 0 && got.Sub(now) != c.want {
			t.Errorf("%+v: %v", c, got)
		}
	}
}

func FuzzCachingHeaders(f *testing.F) {
	for _, seed := range []string{`"tag"`, `W/"tag"`, "max-age=60, public", "Sat, 21 Nov 2026 12:01:00 GMT", "\"a\r\nX: y\"", `"`} {
		f.Add(seed, seed, seed)
	}
	f.Fuzz(func(t *testing.T, tag, control, age string) {
		h := http.Header{"Etag": {tag}, "Last-Modified": {tag}, "Cache-Control": {control}, "Age": {age}}
		now := time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)
		if until := freshUntil(h, now, now); !until.IsZero() && (until.Before(now) || until.Sub(now) > maxMaxAge) {
			t.Errorf("%q: until %v", control, until)
		}
		sent := http.Header{}
		parseValidators(h).set(sent)
		for name, values := range sent {
			if len(values[0]) > maxValidator+2 || strings.ContainsAny(values[0], "\r\n\x00") {
				t.Errorf("%s: %q", name, values[0])
			}
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

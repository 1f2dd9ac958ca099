package responder

import (
	"net/http"
	"strconv"
	"strings"
	"time"
)

// Validators name a version of an answer, as the server does (RFC 9110 section
// 8.8). Zero: the server named none.
type Validators struct {
	ETag, LastModified string
}

// maxValidator bounds a validator, in bytes.
const maxValidator = 256

func parseValidators(h http.Header) Validators {
	var v Validators
	if tag := h.Get("ETag"); validETag(tag) {
		v.ETag = tag
	}
	if at, err := http.ParseTime(h.Get("Last-Modified")); err == nil {
		v.LastModified = at.UTC().Format(http.TimeFormat)
	}
	return v
}

// validETag says whether s is an entity tag that can be sent back: letters in
// quotes, perhaps after W/.
func validETag(s string) bool {
	s = strings.TrimPrefix(s, "W/")
	if len(s) < 2 || len(s) > maxValidator || s[0] != '"' || s[len(s)-1] != '"' {
		return false
	}
	return strings.IndexFunc(s[1:len(s)-1], func(r rune) bool { return r <= ' ' || r == '"' || r >= 0x7f }) < 0
}

// set makes a request conditional. Both go out: a server that knows the tag
// takes no notice of the date (RFC 9110 section 13.1.3).
func (v Validators) set(h http.Header) {
	if v.ETag != "" {
		h.Set("If-None-Match", v.ETag)
	}
	if v.LastModified != "" {
		h.Set("If-Modified-Since", v.LastModified)
	}
}

// maxMaxAge is the longest time for which an answer is called fresh.
const maxMaxAge = 365 * 24 * time.Hour

// freshUntil is when the answer stops being fresh by its max-age, counted from
// the server's Date or by its Age, whatever makes it older (RFC 9111 section
// 4.2.3). Zero where there is no max-age, or one that forbids to keep it:
// that says nothing of when there will be a newer one.
func freshUntil(h http.Header, date, now time.Time) time.Time {
	maxAge, ok := parseMaxAge(h.Values("Cache-Control"))
	if !ok {
		return time.Time{}
	}
	age := seconds(h.Get("Age"))
	if !date.IsZero() {
		age = max(age, now.Sub(date))
	}
	return now.Add(max(maxAge-age, 0))
}

// parseMaxAge finds a positive max-age. Where there are several the smallest
// counts.
func parseMaxAge(values []string) (time.Duration, bool) {
	found := time.Duration(-1)
	for _, directive := range strings.Split(strings.Join(values, ","), ",") {
		name, value, _ := strings.Cut(strings.ToLower(strings.TrimSpace(directive)), "=")
		switch strings.TrimSpace(name) {
		case "no-store", "no-cache":
			return 0, false
		case "max-age":
			d := seconds(strings.Trim(strings.TrimSpace(value), `"`))
			if found < 0 || d < found {
				found = d
			}
		}
	}
	return found, found > 0
}

// seconds reads a number of seconds, at most maxMaxAge; 0 for what is none.
func seconds(v string) time.Duration {
	if v == "" || strings.Trim(v, "0123456789") != "" {
		return 0
	}
	n, err := strconv.ParseUint(v, 10, 32)
	if err != nil || n > uint64(maxMaxAge/time.Second) {
		return maxMaxAge
	}
	return time.Duration(n) * time.Second
}

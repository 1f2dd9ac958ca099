package status

import (
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

const (
	// maxText bounds a text from a record, in characters, and maxList a list.
	maxText = 400
	maxList = 100
)

// clean makes a text from a record harmless wherever it is shown: what is not a
// printable character (escape sequences, line ends, direction marks, broken
// UTF-8) becomes "?", and what is too long is cut.
func clean(s string) string {
	var b strings.Builder
	n := 0
	for _, c := range s {
		if n == maxText {
			b.WriteString("…")
			break
		}
		n++
		switch {
		case c == '\n' || c == '\t':
			c = ' '
		case !unicode.IsPrint(c) || c == utf8.RuneError:
			c = '?'
		}
		b.WriteRune(c)
	}
	return b.String()
}

// cleanAll cleans a list; it is never nil.
func cleanAll(list []string) []string {
	cleaned := make([]string, 0, min(len(list), maxList))
	for _, s := range list[:min(len(list), maxList)] {
		cleaned = append(cleaned, clean(s))
	}
	return cleaned
}

// utc is t in UTC, or zero if no calendar of four-digit years has it: JSON
// can't hold such a time, and one record must not cost the whole report.
func utc(t time.Time) time.Time {
	t = t.UTC()
	if t.Year() < 1 || t.Year() > 9999 {
		return time.Time{}
	}
	return t
}

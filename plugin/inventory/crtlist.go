package inventory

import (
	"errors"
	"fmt"
	"strings"
)

// entry is a certificate that one of HAProxy's own files names.
type entry struct {
	path   string // as written there
	line   int
	alias  string // in a crt-store; "": none
	ocsp   string // file, as written there; "": not said
	issuer string
	// own says that the line names files of its own for this certificate, and
	// that HAProxy looks for no other beside it (since 3.0).
	own bool
	// folder allows that path is one.
	folder bool
	update bool // HAProxy updates the response itself
}

// lineError is what is wrong in one line of a file.
type lineError struct {
	line int
	err  error
}

func (e lineError) Error() string { return fmt.Sprintf("line %d: %v", e.line, e.err) }

func (e lineError) Unwrap() error { return e.err }

// maxLine bounds a line, maxEntries what one file may name.
const (
	maxLine    = 64 << 10
	maxEntries = 200_000
)

// parseCrtList reads a crt-list (configuration manual, "crt-list" in section
// 5.1): a certificate a line, perhaps followed by options in brackets and by
// host names, which are not needed here.
func parseCrtList(text string) (entries []entry, problems []error) {
	for n, line := range strings.Split(text, "\n") {
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' {
			continue
		}
		e, err := crtListLine(line)
		if err == nil && len(entries) == maxEntries {
			return entries, append(problems, lineError{n + 1, errors.New("too many certificates")})
		}
		if err != nil {
			problems = append(problems, lineError{n + 1, err})
			continue
		}
		e.line = n + 1
		entries = append(entries, e)
	}
	return entries, problems
}

func crtListLine(line string) (entry, error) {
	if len(line) > maxLine {
		return entry{}, fmt.Errorf("longer than %d bytes", maxLine)
	}
	before, rest, options := strings.Cut(line, "[")
	fields := strings.Fields(before)
	if len(fields) == 0 {
		return entry{}, errors.New("it has options and no certificate before them")
	}
	e := entry{path: fields[0]}
	if !options {
		return e, nil
	}
	if len(fields) > 1 {
		return entry{}, fmt.Errorf("%q stands between the certificate and its options", fields[1])
	}
	inside, after, closed := strings.Cut(rest, "]")
	switch {
	case !closed:
		return entry{}, errors.New(`the "[" is not closed`)
	case strings.ContainsAny(after, "[]") || strings.Contains(inside, "["):
		return entry{}, errors.New("more than one pair of brackets")
	}
	return e, e.options(strings.Fields(inside))
}

// options reads the words that are about files; all others are passed over.
func (e *entry) options(args []string) error {
	for i := 0; i < len(args); i++ {
		var value *string
		switch args[i] {
		case "ocsp":
			value = &e.ocsp
		case "issuer":
			value = &e.issuer
		case "key", "sctl":
			value = new(string)
		case "ocsp-update":
			if i+1 < len(args) {
				e.update = args[i+1] == "on"
				i++
			}
			continue
		default:
			continue
		}
		if i++; i == len(args) {
			return fmt.Errorf("%q without a file", args[i-1])
		}
		*value, e.own = args[i], true
	}
	return nil
}

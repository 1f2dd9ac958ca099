package testca

import (
	"fmt"
	"math/big"
	"strconv"
	"strings"
	"time"
)

// index is the content of index.txt: openssl's text database, a certificate a
// line. It keeps every line as it was read, so that format gives back what parse
// got, except for the lines that were changed.
type index struct {
	lines    []indexLine
	bySerial map[string]int // formatSerial of the number -> place in lines
}

// indexLine is one line without its line end. Comments and blank lines have
// no entry.
type indexLine struct {
	text  string
	entry *indexEntry
}

// indexEntry is what a line says of a certificate.
type indexEntry struct {
	status  byte      // 'V' valid, 'R' revoked, 'E' expired
	expires time.Time // notAfter
	revoked time.Time // for 'R'
	reason  int       // CRLReason (RFC 5280, 5.3.1), -1 where none is given
	serial  *big.Int
	subject string // openssl's one-line form, /C=…/CN=…
}

// parseIndex reads index.txt. It accepts what openssl's tools accept: six fields
// with tabs between them, `\` before a tab that belongs to a field, comments with
// `#`; dates with two or four digits of the year; serial numbers in hex, each at
// most once.
func parseIndex(text string) (*index, error) {
	x := &index{bySerial: map[string]int{}}
	for n := 1; text != ""; n++ {
		line, rest, _ := strings.Cut(text, "\n")
		text = rest
		entry, err := parseIndexLine(strings.TrimSuffix(line, "\r"))
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", n, err)
		}
		if entry != nil {
			key := formatSerial(entry.serial)
			if _, twice := x.bySerial[key]; twice {
				return nil, fmt.Errorf("line %d: serial %s stands in two lines", n, key)
			}
			x.bySerial[key] = len(x.lines)
		}
		x.lines = append(x.lines, indexLine{text: line, entry: entry})
	}
	return x, nil
}

// format gives the text of index.txt.
func (x *index) format() string {
	var b strings.Builder
	for _, line := range x.lines {
		b.WriteString(line.text)
		b.WriteByte('\n')
	}
	return b.String()
}

// add appends a new entry.
func (x *index) add(e *indexEntry) error {
	key := formatSerial(e.serial)
	if _, twice := x.bySerial[key]; twice {
		return fmt.Errorf("serial %s is taken", key)
	}
	x.bySerial[key] = len(x.lines)
	x.lines = append(x.lines, indexLine{text: e.format(), entry: e})
	return nil
}

// find gives the entry of a serial number, or nil.
func (x *index) find(serial *big.Int) *indexEntry {
	if i, ok := x.bySerial[formatSerial(serial)]; ok {
		return x.lines[i].entry
	}
	return nil
}

// subjectsAreUnique reports whether no two valid certificates share a subject.
func (x *index) subjectsAreUnique() bool {
	seen := map[string]bool{}
	for _, line := range x.lines {
		if e := line.entry; e != nil && e.status == 'V' {
			if seen[e.subject] {
				return false
			}
			seen[e.subject] = true
		}
	}
	return true
}

// parseIndexLine gives nil for a line without a certificate.
func parseIndexLine(line string) (*indexEntry, error) {
	if strings.TrimSpace(line) == "" || line[0] == '#' {
		return nil, nil
	}
	f := splitFields(line)
	if len(f) != 6 {
		return nil, fmt.Errorf("%d fields, want 6 with tabs between them", len(f))
	}
	e := &indexEntry{reason: -1, subject: f[5]}
	if len(f[0]) != 1 || !strings.Contains("VRE", f[0]) {
		return nil, fmt.Errorf("status %q, want V, R or E", f[0])
	}
	e.status = f[0][0]
	var err error
	if e.expires, err = parseTime(f[1]); err != nil {
		return nil, fmt.Errorf("expiry: %w", err)
	}
	if e.status == 'R' {
		if e.revoked, e.reason, err = parseRevocation(f[2]); err != nil {
			return nil, fmt.Errorf("revocation: %w", err)
		}
	}
	e.serial, err = parseSerial(f[3])
	return e, err
}

// format gives the line of an entry. An entry has no file name: openssl, too,
// always writes "unknown".
func (e *indexEntry) format() string {
	revocation := ""
	if e.status == 'R' {
		revocation = formatTime(e.revoked)
		if e.reason >= 0 {
			revocation += "," + reasonName(e.reason)
		}
	}
	return strings.Join([]string{
		string(e.status), formatTime(e.expires), revocation, formatSerial(e.serial), "unknown",
		strings.ReplaceAll(e.subject, "\t", "\\\t"),
	}, "\t")
}

// onHold reports whether the certificate may become valid again.
func (e *indexEntry) onHold() bool { return e.status == 'R' && e.reason == certificateHold }

// commonName gives the last common name of the subject.
func (e *indexEntry) commonName() string {
	i := strings.LastIndex(e.subject, "/CN=")
	if i < 0 {
		return ""
	}
	name, _, _ := strings.Cut(e.subject[i+len("/CN="):], "/")
	return name
}

// splitFields cuts a line at its tabs, save those behind a backslash.
func splitFields(line string) []string {
	var fields []string
	var field strings.Builder
	for i := 0; i < len(line); i++ {
		switch {
		case line[i] == '\\' && i+1 < len(line) && line[i+1] == '\t':
			field.WriteByte('\t')
			i++
		case line[i] == '\t':
			fields = append(fields, field.String())
			field.Reset()
		default:
			field.WriteByte(line[i])
		}
	}
	return append(fields, field.String())
}

// parseSerial reads hex digits of any case, with or without leading zeros.
func parseSerial(s string) (*big.Int, error) {
	if s == "" || len(s) > 128 || strings.Trim(s, "0123456789abcdefABCDEF") != "" {
		return nil, fmt.Errorf("serial %q is not a hexadecimal number", s)
	}
	n, _ := new(big.Int).SetString(s, 16)
	return n, nil
}

// formatSerial gives openssl's form: upper-case hex, an even number of digits.
func formatSerial(n *big.Int) string {
	s := fmt.Sprintf("%X", n)
	if len(s)%2 != 0 {
		s = "0" + s
	}
	return s
}

const wantTime = "time %q: want YYMMDDHHMMSSZ or YYYYMMDDHHMMSSZ"

// parseTime reads the two forms of ASN.1: YYMMDDHHMMSSZ, where years from 50 on
// are of the last century (RFC 5280, 4.1.2.5.1), and YYYYMMDDHHMMSSZ.
func parseTime(s string) (time.Time, error) {
	if len(s) == len("060102150405Z") {
		year, err := strconv.Atoi(s[:2])
		if err != nil {
			return time.Time{}, fmt.Errorf(wantTime, s)
		}
		s = map[bool]string{true: "19", false: "20"}[year >= 50] + s
	}
	t, err := time.Parse("20060102150405Z", s)
	if err != nil || len(s) != len("20060102150405Z") {
		return time.Time{}, fmt.Errorf(wantTime, s)
	}
	return t, nil
}

// formatTime writes two digits of the year where ASN.1 wants so, else four.
func formatTime(t time.Time) string {
	t = t.UTC()
	if t.Year() >= 1950 && t.Year() < 2050 {
		return t.Format("060102150405Z")
	}
	return t.Format("20060102150405Z")
}

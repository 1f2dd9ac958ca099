package hclconfig

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"unicode"

	"github.com/hashicorp/hcl/v2"
)

// check says what is wrong with a string and what to write instead, or "".
type check func(v string) string

// check runs checks until one objects.
func (p *parser) check(name, v string, at hcl.Range, checks []check) bool {
	for _, c := range checks {
		if problem := c(v); problem != "" {
			p.invalid(name, at, problem)
			return false
		}
	}
	return true
}

// orEmpty lets the empty string pass where it is the default.
func orEmpty(c check) check {
	return func(v string) string {
		if v == "" {
			return ""
		}
		return c(v)
	}
}

// oneOf accepts words and nothing else.
func oneOf(words ...string) check {
	return func(v string) string {
		if slices.Contains(words, v) {
			return ""
		}
		problem := fmt.Sprintf("%q is not one of %s.", v, strings.Join(words, ", "))
		if near := nearest(v, words); near != "" {
			problem += fmt.Sprintf(" Did you mean %q?", near)
		}
		return problem
	}
}

// printable refuses what could break a line of a file, a header or a command.
func printable(v string) string {
	if strings.ContainsFunc(v, unicode.IsControl) {
		return "It holds a line break or another control character. Write it on one line."
	}
	return ""
}

// absolute accepts paths that mean the same from everywhere: a service's
// working directory is anybody's guess, and HAProxy knows certificates by path.
func absolute(v string) string {
	if problem := printable(v); problem != "" {
		return problem
	}
	switch {
	case v == "":
		return "The path is empty. Write an absolute path."
	case !filepath.IsAbs(v):
		return fmt.Sprintf("%q is a relative path. Write it from the root on: \"/…/%s\".", v, strings.TrimPrefix(v, "./"))
	}
	return ""
}

// absoluteFile is absolute for what can't be a folder.
func absoluteFile(v string) string {
	if problem := absolute(v); problem != "" {
		return problem
	}
	if strings.HasSuffix(v, "/") {
		return fmt.Sprintf("%q is a folder; a file is needed here.", v)
	}
	return ""
}

// A key of Consul has at most 512 bytes; the longest of ours holds the root, a
// job's and a certificate's name.
const (
	maxLabel   = 200
	maxKeyPath = 90
)

// isLabel accepts names that are safe as a path element and as a Consul key.
func isLabel(v string) string {
	fine := v != "" && v != "." && v != ".." && len(v) <= maxLabel
	for _, c := range v {
		fine = fine && (c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.ContainsRune("._-", c))
	}
	if fine {
		return ""
	}
	return fmt.Sprintf("%q can't be used in file names and Consul keys. Use letters, digits, \".\", \"_\" and \"-\", at most %d.", v, maxLabel)
}

// isHostLabel accepts names that are a part of a host's name (RFC 1123 section
// 2.1): Consul's DNS answers for no other service.
func isHostLabel(v string) string {
	fine := v != "" && len(v) <= 63 && !strings.HasPrefix(v, "-") && !strings.HasSuffix(v, "-")
	for _, c := range v {
		fine = fine && (c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '-')
	}
	if fine {
		return ""
	}
	return fmt.Sprintf("%q can't be looked up in DNS. Use letters, digits and \"-\" between them, at most 63.", v)
}

// command asks for a program and its arguments. It is run without a shell.
func (b *block) command(name string, dst *[]string, required bool) {
	before := len(b.p.diags)
	b.texts(name, dst, printable)
	a := b.attrs[name]
	if a == nil || len(b.p.diags) > before {
		return
	}
	switch {
	case len(*dst) == 0 && required:
		b.p.invalid(name, a.Expr.Range(), "The command is empty. Write the program and its arguments as a list of strings.")
	case len(*dst) > 0 && (*dst)[0] == "":
		b.p.invalid(name, a.Expr.Range(), "The first element is the program and can't be empty.")
	}
}

// unique refuses a list that holds an element twice.
func (b *block) unique(name string, list []string) {
	seen := map[string]bool{}
	for i, v := range list {
		if seen[v] && b.has(name) {
			b.p.invalid(name, elementRange(b.attrs[name].Expr, i), fmt.Sprintf("%q is in the list twice. Remove one.", v))
		}
		seen[v] = true
	}
}

package inventory

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// seeds adds the files of a folder of testdata.
func seeds(f *testing.F, folder string) {
	f.Helper()
	paths, err := filepath.Glob(filepath.Join("testdata", folder, "*"))
	if err != nil || len(paths) == 0 {
		f.Fatal("no seeds", err)
	}
	for _, path := range paths {
		b, err := os.ReadFile(path)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(b))
	}
}

func FuzzHAProxyConfig(f *testing.F) {
	seeds(f, "haproxy")
	f.Fuzz(func(t *testing.T, text string) {
		s := newServed()
		problems := s.parse("/etc/haproxy/haproxy.cfg", text)
		for _, c := range slices.Concat(s.certs, s.lists) {
			for _, path := range []string{c.path, c.ocsp, c.issuer} {
				if path != "" && !filepath.IsAbs(path) {
					t.Errorf("path %q is not absolute", path)
				}
			}
			if c.line < 1 || c.line > strings.Count(text, "\n")+1 {
				t.Errorf("line %d", c.line)
			}
		}
		if lines := strings.Count(text, "\n") + 1; len(problems) > lines {
			t.Errorf("%d problems in %d lines", len(problems), lines)
		}
	})
}

func FuzzCrtList(f *testing.F) {
	seeds(f, "crtlist")
	f.Fuzz(func(t *testing.T, text string) {
		entries, problems := parseCrtList(text)
		if lines := strings.Count(text, "\n") + 1; len(entries)+len(problems) > lines {
			t.Errorf("%d certificates and %d problems in %d lines", len(entries), len(problems), lines)
		}
		for _, e := range entries {
			if e.path == "" || strings.ContainsAny(e.path, " \t[") {
				t.Errorf("path %q", e.path)
			}
		}
	})
}

func FuzzWords(f *testing.F) {
	for _, line := range []string{`bind :443 ssl crt "a b" # c`, `crt ${A} "${A}" "$A" "${B-x}" "${C[*]}"`, `a\ b 'c\d' "e\"f\g"`, `"`, `\`, `"$`} {
		f.Add(line)
	}
	f.Fuzz(func(t *testing.T, line string) {
		got, err := words(line, func(name string) (string, bool) { return "value", name == "A" })
		if err == nil && len(strings.Join(got, "")) > len(line)*len("value") {
			t.Errorf("%q grew to %q", line, got)
		}
	})
}

func TestWordsAreSplitAsHAProxyDoes(t *testing.T) {
	lookup := func(name string) (string, bool) {
		value, ok := map[string]string{"A": "x y", "EMPTY": ""}[name]
		return value, ok
	}
	for line, want := range map[string]string{
		`bind  :443	ssl crt /a`:     `bind|:443|ssl|crt|/a`,
		`a "b c" 'd e' f\ g h#i`:    `a|b c|d e|f g|h`,
		`"$A" "${A}" '$A' $A`:       `x y|x y|$A|$A`,
		`"${B-other}" "${A-other}"`: `other|x y`,
		`a"b"'c' "" "${EMPTY}"`:     `abc||`,
		`"a\"b" "a\$b" "a\nb" a\#b`: `a"b|a$b|a\nb|a#b`,
		`# nothing`:                 ``,
	} {
		got, err := words(line, lookup)
		if err != nil || strings.Join(got, "|") != want {
			t.Errorf("%s: %q, %v; want %q", line, strings.Join(got, "|"), err, want)
		}
	}
	for line, want := range map[string]string{
		`"a`: "a quote is not closed", `'a`: "a quote is not closed", `a\`: "a backslash ends the line",
		`"$B"`: "the variable B is not set", `"${A[*]}"`: "only ${NAME}", `"${A"`: "is not closed", `"$"`: "without the name", `a\x41`: `\x`,
	} {
		if got, err := words(line, lookup); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %q, %v; want an error that says %q", line, got, err, want)
		}
	}
}

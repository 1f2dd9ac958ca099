package plugin

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestReasonsAreThoseOfTheReadme holds the README's tables against the words
// that the packages can say: none is missing, none is invented, none is there
// twice, and each row says what to do.
func TestReasonsAreThoseOfTheReadme(t *testing.T) {
	var want []string
	for _, r := range Reasons() {
		want = append(want, r.Reason)
		if slices.Contains(r.Meanings, "") {
			t.Errorf("%s: no meaning", r.Reason)
		}
	}
	text := section(t, "Reasons")
	got := firstColumn(text)
	slices.Sort(want)
	slices.Sort(got)
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("reasons (-code +README):\n%s", d)
	}
	for line := range strings.Lines(text) {
		cells := strings.Split(line, "|")
		if !strings.HasPrefix(line, "| `") {
			continue
		}
		if len(cells) != 5 || strings.TrimSpace(cells[2]) == "" || strings.TrimSpace(cells[3]) == "" {
			t.Errorf("not three filled cells: %s", line)
		}
	}
}

// TestEveryReasonIsListed reads the sources: a constant that is a reason stands
// in its package's list, and nobody writes a reason as a literal.
func TestEveryReasonIsListed(t *testing.T) {
	listed := map[string]bool{}
	for _, r := range Reasons() {
		if !regexp.MustCompile(`^[a-z0-9]+(-[a-z0-9]+)*$`).MatchString(r.Reason) {
			t.Errorf("%q is no word", r.Reason)
		}
		listed[r.Reason] = true
	}
	// Outcomes and other words of these files are no reasons.
	outcomes := []string{"fetched", "unchanged", "fresh", "not-applicable"}
	for _, file := range []string{
		"responder/reason.go", "staple/reason.go", "fetcher/result.go", "writer/reason.go", "canary/reason.go", "haproxy/errors.go",
	} {
		for name, value := range constants(t, file) {
			if !listed[value] && !slices.Contains(outcomes, value) {
				t.Errorf("%s: %s (%q) is not in the package's list", file, name, value)
			}
		}
	}
}

// TestReasonsAreNoLiterals looks for reasons that are written past the lists.
func TestReasonsAreNoLiterals(t *testing.T) {
	set := token.NewFileSet()
	for _, dir := range []string{
		".", "canary", "event", "fetcher", "responder", "staple", "writer", "haproxy", "status", "../consul", "../cmd/consul-ocsp",
	} {
		files, err := filepath.Glob(filepath.Join(dir, "*.go"))
		if err != nil || len(files) == 0 {
			t.Fatal(dir, err)
		}
		for _, file := range files {
			if strings.HasSuffix(file, "_test.go") {
				continue
			}
			f, err := parser.ParseFile(set, file, nil, 0)
			if err != nil {
				t.Fatal(err)
			}
			ast.Inspect(f, func(n ast.Node) bool {
				if call, ok := n.(*ast.CallExpr); ok {
					for i, arg := range call.Args {
						said, literal := arg.(*ast.BasicLit)
						if literal && said.Value == `"reason"` && i+1 < len(call.Args) {
							if word, literal := call.Args[i+1].(*ast.BasicLit); literal && word.Kind == token.STRING && word.Value != `""` && !strings.Contains(word.Value, " ") {
								t.Errorf("%s: the reason %s is logged as a literal", set.Position(n.Pos()), word.Value)
							}
						}
					}
				}
				kv, ok := n.(*ast.KeyValueExpr)
				if !ok {
					return true
				}
				key, isName := kv.Key.(*ast.Ident)
				value, literal := kv.Value.(*ast.BasicLit)
				if isName && literal && strings.EqualFold(key.Name, "reason") && value.Value != `""` {
					t.Errorf("%s: the reason %s is written as a literal", set.Position(n.Pos()), value.Value)
				}
				return true
			})
		}
	}
}

// constants are the string constants of a file, by name.
func constants(t *testing.T, file string) map[string]string {
	t.Helper()
	f, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	values := map[string]string{}
	ast.Inspect(f, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok || len(spec.Values) != 1 {
			return true
		}
		if lit, ok := spec.Values[0].(*ast.BasicLit); ok && lit.Kind == token.STRING {
			values[spec.Names[0].Name], _ = strconv.Unquote(lit.Value)
		}
		return true
	})
	return values
}

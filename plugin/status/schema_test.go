package status

import (
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// fields are the names that the JSON of a struct has.
func fields(of reflect.Type) []string {
	var names []string
	for _, f := range reflect.VisibleFields(of) {
		if name, _, _ := strings.Cut(f.Tag.Get("json"), ","); name != "" && name != "-" {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// quoted are the names in backquotes, without what says that they are lists or
// belong to what stands above.
func quoted(text string) []string {
	var names []string
	for _, m := range regexp.MustCompile("`\\.*([a-z0-9_]+)(?:\\[\\])?`").FindAllStringSubmatch(text, -1) {
		names = append(names, m[1])
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// The README's tables of the JSON have the names that there are, and no others.
func TestReadmeHasTheNamesOfTheJSON(t *testing.T) {
	t.Parallel()
	readme, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	text := string(readme)
	table := func(after, heading string) string {
		_, rest, _ := strings.Cut(text, after)
		_, rest, found := strings.Cut(rest, heading+"\n|---|---|\n")
		if !found {
			t.Fatalf("no table %s below %q", heading, after)
		}
		rest, _, _ = strings.Cut(rest, "\n\n")
		return rest
	}
	// Rows below a list, such as staples[], have names that begin with a dot.
	held := func(name, table string, whole reflect.Type, lists map[string]reflect.Type) {
		named, of, last := map[string][]string{}, "", ""
		for row := range strings.Lines(table) {
			cells := strings.SplitN(row, "|", 3)
			switch {
			case !strings.HasPrefix(cells[1], " `."):
				of = ""
				if list := regexp.MustCompile("^ `([a-z]+)\\[\\]` $").FindStringSubmatch(cells[1]); list != nil {
					of = list[1]
				}
				named[""] = append(named[""], quoted(cells[1])...)
				named[of] = append(named[of], rowNames(of, cells)...)
				continue
			case strings.HasPrefix(cells[1], " `.."):
				named[last] = append(named[last], quoted(cells[1])...)
				continue
			}
			named[of] = append(named[of], quoted(cells[1])...)
			if list := regexp.MustCompile("\\.([a-z]+)\\[\\]` $").FindStringSubmatch(cells[1]); list != nil {
				last = of + "." + list[1]
				named[last] = append(named[last], quoted(cells[2])...)
			}
		}
		lists[""] = whole
		for of, typ := range lists {
			got, want := slices.Clone(named[of]), fields(typ)
			slices.Sort(got)
			got = slices.Compact(got)
			for _, n := range want {
				if !slices.Contains(got, n) {
					t.Errorf("%s: the README does not have %s of %q", name, n, of)
				}
			}
			// What a row says of a list besides may be any word.
			if strings.Contains(of, ".") || of == "unreadable" || of == "wrong" {
				continue
			}
			for _, n := range got {
				if !slices.Contains(want, n) {
					t.Errorf("%s: the README has %s of %q, which there is not", name, n, of)
				}
			}
		}
	}
	typ := func(v any) reflect.Type { return reflect.TypeOf(v) }
	held("status", table("The JSON of the status.", "| field | what |"), typ(Report{}), map[string]reflect.Type{
		"staples": typ(Staple{}), "nodes": typ(Node{}), "nodes.troubles": typ(NodeTrouble{}),
		"canaries": typ(Canary{}), "canaries.nodes": typ(CanaryNode{}), "canaries.failures": typ(CanaryFailure{}), "unreadable": typ(Unreadable{}),
	})
	held("history", table("## Evidence", "| JSON field | what |"), typ(History{}), map[string]reflect.Type{
		"responses": typ(KeptResponse{}), "responses.stapled": typ(StapledAt{}), "wrong": typ(WrongFile{}),
	})

	// The other answers have a row each.
	for path, types := range map[string][]any{
		"staples/<id>": {oneStaple{}, stapleNode{}, Verification{}, Step{}},
		"truths/<id>":  {Here{}, HereFile{}, Truth{}},
		"responders":   {Asking{}, Responder{}, Latency{}},
	} {
		row := regexp.MustCompile("(?m)^\\| `/v1/" + path + "` \\|.*$").FindString(text)
		for _, v := range types {
			for _, n := range fields(typ(v)) {
				if !slices.Contains(quoted(row), n) && !slices.Contains(fields(typ(head{})), n) {
					t.Errorf("/v1/%s: the README does not have %s", path, n)
				}
			}
		}
	}
}

// rowNames are those that the row of a list has of it in its text, for lists that
// have no rows of their own.
func rowNames(of string, cells []string) []string {
	switch of {
	case "unreadable", "wrong", "canaries":
		return quoted(regexp.MustCompile(`\([^)]*\)`).ReplaceAllString(cells[2], "")) // values
	}
	return nil
}

package main

import (
	"flag"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/consul-ocsp/consul-ocsp/hclconfig"
)

// The README's table of commands has those that there are.
func TestReadmeNamesEveryCommand(t *testing.T) {
	t.Parallel()
	_, table, _ := strings.Cut(readText(t, "../../README.md"), "\n| command | does |\n|---|---|\n")
	table, _, _ = strings.Cut(table, "\n\n")
	var named []string
	for _, row := range regexp.MustCompile("(?m)^\\| `([^`]+)` \\| ").FindAllStringSubmatch(table, -1) {
		named = append(named, row[1])
	}
	there := map[string]bool{}
	for _, c := range visible(commands(environment{})) {
		name, _, _ := strings.Cut(c.usage, " ")
		there[name] = true
	}
	slices.Sort(named)
	if want := slices.Sorted(maps.Keys(there)); !slices.Equal(named, want) {
		t.Errorf("the README has %q; there are %q", named, want)
	}
}

// calls are the places of a text where the program is called, each with what
// follows up to the end of the call.
var calls = regexp.MustCompile("consul-ocsp ((?:testca )?[a-z]+(?:-upd)?)((?: [^`|;&)\\n]*)?)")

// Every call that the pages show is of a command that there is, with flags that
// it has.
func TestPagesCallWhatThereIs(t *testing.T) {
	t.Parallel()
	flags := map[string]*flag.FlagSet{}
	for name, factory := range commands(environment{}) {
		c, err := factory()
		if err != nil {
			t.Fatal(err)
		}
		if own, ok := c.(*command); ok {
			flags[name] = own.flags
		}
	}
	pages := []string{"../../README.md", "../../CHANGELOG.md", "../../Makefile"}
	for _, pattern := range []string{"../../examples/*/*", "../../testdata/tools/release/*"} {
		found, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		pages = append(pages, found...)
	}
	known, checked := regexp.MustCompile(`^(agent|fetch|sync|render|status|history|inspect|verify|plan|validate|hapos-upd|version|testca)\b`), 0
	option := regexp.MustCompile(`(?:^|\s)--?([a-z][a-z-]*)`)
	for _, page := range pages {
		if info, err := os.Stat(page); err != nil || info.IsDir() {
			continue
		}
		for _, call := range calls.FindAllStringSubmatch(readText(t, page), -1) {
			set, ok := flags[call[1]]
			if !ok {
				if known.MatchString(call[1]) {
					t.Errorf("%s: there is no %q", page, "consul-ocsp "+call[1])
				}
				continue // prose
			}
			for _, o := range option.FindAllStringSubmatch(call[2], -1) {
				if checked++; set.Lookup(o[1]) == nil && o[1] != "h" && o[1] != "help" && call[1] != haposName {
					t.Errorf("%s: consul-ocsp %s has no flag -%s", page, call[1], o[1])
				}
			}
		}
	}
	if checked < 40 {
		t.Errorf("only %d flags were found on the pages", checked)
	}
}

// Each setting that the reference has is in the README's job file, and the names
// of settings in its text are names of settings.
func TestReadmeNamesSettings(t *testing.T) {
	t.Parallel()
	readme := readText(t, "../../README.md")
	settings, _ := hclconfig.Reference()
	names := map[string]bool{"template_error_fatal": true} // consul-template's
	for _, s := range settings {
		names[s.Name] = true
		if !regexp.MustCompile(`(?m)^\s*(?:# +)?` + s.Name + `\s*= `).MatchString(readme) {
			t.Errorf("the README does not show %s %s", s.Block, s.Name)
		}
	}
	// A setting in a block, in prose: `announce { names = true }`.
	for _, block := range regexp.MustCompile("`([a-z_]+) \\{ ([a-z_]+)(?: = [^`]*)? \\}`").FindAllStringSubmatch(readme, -1) {
		if !slices.ContainsFunc(settings, func(s hclconfig.Setting) bool {
			return s.Name == block[2] && slices.Contains(strings.Fields(s.Block), block[1])
		}) {
			t.Errorf("the README speaks of %s, which there is not", block[0])
		}
	}
	// And by itself: `write_files = false`.
	for _, set := range regexp.MustCompile("`([a-z_0-9]+) = [^`]*`").FindAllStringSubmatch(readme, -1) {
		if !names[set[1]] {
			t.Errorf("the README sets %s, which there is not", set[0])
		}
	}
}

package hclconfig

import (
	"slices"
	"strings"
	"testing"
)

// The reference is made of what the parser asks for: nothing that can be set is
// missing in it, and nothing that it says is unlike the default file.
func TestReferenceIsWhole(t *testing.T) {
	settings, blocks := Reference()
	seen := map[string]bool{}
	for _, s := range settings {
		seen[s.Block+" "+s.Name] = true
		if s.Default == "" && s.Example == "" {
			t.Errorf("%s %s has neither a default nor an example", s.Block, s.Name)
		}
		if s.Text == "required" || strings.HasPrefix(s.Text, "#") {
			t.Errorf("%s %s: %q", s.Block, s.Name, s.Text)
		}
	}
	for _, want := range []string{
		" roles", "consul token", "consul tls ca_file", "fetch min_delay", "job write_files", "job certificate path",
		`job deliver "haproxy" socket`, `job deliver "nginx" reload`, `job deliver "exec" timeout`, "pull address", "on_event events",
	} {
		if !seen[want] {
			t.Errorf("no setting %q", want)
		}
	}
	for _, block := range []string{"consul", "announce", "fetch", "job", `job deliver "haproxy"`, `job deliver "nginx"`, "job certificates", "on_event"} {
		if blocks[block] == "" {
			t.Errorf("nothing is said of block %s", block)
		}
	}
	i := slices.IndexFunc(settings, func(s Setting) bool { return s.Block == `job deliver "haproxy"` && s.Name == "method" })
	want := Setting{Block: `job deliver "haproxy"`, Name: "method", Kind: "string", Default: `"auto"`, Allowed: "auto, push, reload, file",
		Text: "push: never reload; reload: always; file: write files only"}
	if got := settings[i]; got != want {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
}

// Every block that the parser looks for is in the file that the reference is made
// from.
func TestReferenceHasEveryBlock(t *testing.T) {
	p := newParser(nil)
	p.reference = newReference()
	_, _ = p.parse([]File{{Name: "reference", Source: []byte(everyBlock)}})
	for path := range p.reference.looked {
		// Those of a certificate and of a job are as the top level's.
		if !p.reference.entered[path] && path != "job fetch" && path != "job certificate fetch" {
			t.Errorf("no block %s", path)
		}
	}
}

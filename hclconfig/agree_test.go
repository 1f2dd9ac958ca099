package hclconfig

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
)

// The default file, which the README shows, and the reference have the same
// settings, in the same blocks, with the same values.
func TestReferenceAndDefaultsAgree(t *testing.T) {
	// Blocks that a file with the defaults can't have beside the others are comments there.
	source := regexp.MustCompile(`(?m)^  # ((?:crt_list|haproxy_config|deliver "nginx"|canary) \{|  [a-z_]+ += .*|\})$`).ReplaceAllString(defaults, "  $1")
	file, diagnostics := hclsyntax.ParseConfig([]byte(source), "defaults.hcl", hcl.InitialPos)
	if diagnostics.HasErrors() {
		t.Fatal(diagnostics)
	}
	written, referred := map[[2]string]string{}, map[[2]string]bool{}
	collect(file.Body.(*hclsyntax.Body), source, "", written)
	settings, _ := Reference()
	for _, s := range settings {
		key := [2]string{s.Block, s.Name}
		value, ok := written[key]
		if s.Block == "job certificate" && !ok { // as in the block fetch, and explained there
			value, ok = written[[2]string{"fetch", s.Name}]
		}
		referred[key] = true
		want := strings.ReplaceAll(s.Default, ", ", ",")
		switch {
		case !ok:
			t.Errorf("%s %s is not in defaults.hcl", s.Block, s.Name)
		case s.Example == "" && value != want:
			t.Errorf("%s %s is %s in defaults.hcl; the reference has %s", s.Block, s.Name, value, want)
		}
	}
	for key, value := range written {
		if !referred[key] {
			t.Errorf("%q = %s is in defaults.hcl and not in the reference", key, value)
		}
	}
}

// collect takes down what a body sets, by block and name.
func collect(body *hclsyntax.Body, source, block string, written map[[2]string]string) {
	for name, attribute := range body.Attributes {
		r := attribute.Expr.Range()
		written[[2]string{block, name}] = strings.ReplaceAll(source[r.Start.Byte:r.End.Byte], ", ", ",")
	}
	for _, b := range body.Blocks {
		path := strings.TrimSpace(block + " " + b.Type)
		if b.Type == "deliver" && slices.Contains([]string{"haproxy", "nginx", "exec"}, b.Labels[0]) {
			path += ` "` + b.Labels[0] + `"`
		}
		collect(b.Body, source, path, written)
	}
}

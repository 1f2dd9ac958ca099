package hclconfig

import (
	"fmt"
	"strings"
	"testing"
)

// Without the limits each of these is a stack as deep as the text is long.
func TestDeepTextIsRefused(t *testing.T) {
	for _, piece := range []string{
		"[", "(", "{", "${\"", "\"${", "\"%{if ", "!", "-", "x?", "x?x:", "<<A\n${", "[for a in ", "f(",
		"1+", "1&&", "x==", "f()[x]", "(x)[x]", "x.*.y", "x[*]",
	} {
		text := "x = " + strings.Repeat(piece, 2000)
		if d := refuseText(t, text); !strings.Contains(d.Error(), "Too deep") {
			t.Errorf("%s…: %.200s", piece, d)
		}
	}
	// Without them this one would end the process.
	refuseText(t, "x = "+strings.Repeat("[", 1<<20))
}

// Pieces that only make the text long.
func TestLongTextIsRefused(t *testing.T) {
	for _, piece := range []string{"a{\n", "a.b", "a.0", "a=", "}", "]", "\"", "x,", "%{", "\n", "#", "\x00", "\xff"} {
		for _, start := range []string{"x = ", "", "x = \""} {
			refuseText(t, start+strings.Repeat(piece, 2000))
		}
	}
}

func refuseText(t *testing.T, text string) *Diagnostics {
	t.Helper()
	c, err := Parse([]File{{Name: "a.hcl", Source: []byte(text)}}, nil)
	d, ok := err.(*Diagnostics)
	if !ok || c != nil {
		t.Fatalf("%.20q… is accepted", text)
	}
	return d
}

// 10,000 certificates in blocks and as many paths in one list are no depth.
func TestLongFlatFileIsFine(t *testing.T) {
	var text strings.Builder
	text.WriteString("job \"edge\" {\n")
	for i := range 10_000 {
		fmt.Fprintf(&text, "  certificate \"c%d\" {\n    path = \"/srv/certs/%d.pem\"\n  }\n", i, i)
	}
	text.WriteString("  certificates {\n    paths = [\n")
	for i := range 10_000 {
		fmt.Fprintf(&text, "      \"/srv/more/%d.pem\",\n", i)
	}
	text.WriteString("    ]\n  }\n}\n")
	c, err := Parse([]File{{Name: "a.hcl", Source: []byte(text.String())}}, nil)
	if err != nil {
		t.Fatalf("%.500s", err)
	}
	if len(c.Jobs[0].Globs[0].Paths) != 10_000 || len(c.Jobs[0].Certificates) != 10_000 {
		t.Errorf("%d paths and %d certificates", len(c.Jobs[0].Globs[0].Paths), len(c.Jobs[0].Certificates))
	}
}

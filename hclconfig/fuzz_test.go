package hclconfig

import (
	"io"
	"os"
	"path/filepath"
	"testing"
)

// Any text is a configuration or gives diagnostics that can be printed.
func FuzzParse(f *testing.F) {
	for _, pattern := range []string{"testdata/good/*.hcl", "testdata/bad/*.hcl"} {
		files, err := filepath.Glob(pattern)
		if err != nil {
			f.Fatal(err)
		}
		for _, file := range files {
			text, err := os.ReadFile(file)
			if err != nil {
				f.Fatal(err)
			}
			f.Add(text)
		}
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		c, err := Parse([]File{{Name: "fuzz.hcl", Source: text}}, environ("NAME", "value"))
		if (c == nil) == (err == nil) {
			t.Fatalf("config %v and error %v", c, err)
		}
		if err == nil {
			return
		}
		d := err.(*Diagnostics)
		if d.Len() == 0 || d.Error() == "" {
			t.Error("an error that says nothing")
		}
		if err := d.Write(io.Discard, true, 80); err != nil {
			t.Error(err)
		}
	})
}

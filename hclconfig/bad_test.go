package hclconfig

import (
	"bytes"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write the golden files in testdata/bad anew")

// A file in testdata/bad breaks the rule that it is named after; beside it is
// what a user gets to see.
func TestBad(t *testing.T) {
	files, err := filepath.Glob("testdata/bad/*.hcl")
	if err != nil || len(files) == 0 {
		t.Fatal("testdata/bad holds no files: ", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".hcl"), func(t *testing.T) {
			d := refuse(t, file)
			golden(t, strings.TrimSuffix(file, ".hcl")+".txt", written(t, d))
		})
	}
}

// refuse loads files that are wrong.
func refuse(t *testing.T, paths ...string) *Diagnostics {
	t.Helper()
	c, err := Load(LoadOptions{Paths: paths})
	var d *Diagnostics
	if !errors.As(err, &d) || c != nil || d.Len() == 0 {
		t.Fatalf("%s was accepted: %v", paths, err)
	}
	return d
}

func written(t *testing.T, d *Diagnostics) string {
	t.Helper()
	var out bytes.Buffer
	if err := d.Write(&out, false, 100); err != nil {
		t.Fatal(err)
	}
	for _, secret := range []string{"1111-2222", "123456", "geheim"} {
		if strings.Contains(out.String()+d.Error(), secret) {
			t.Errorf("a secret is shown:\n%s", out.String())
		}
	}
	return out.String()
}

func golden(t *testing.T, file, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal("go test -update writes it: ", err)
	}
	if d := cmp.Diff(string(want), got); d != "" {
		t.Errorf("%s (-want +got):\n%s", file, d)
	}
}

package hclconfig

import (
	"bytes"
	"os"
	"testing"
)

// The job file that the README shows is the one that is held against the
// defaults.
func TestReadmeShowsTheDefaults(t *testing.T) {
	readme, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	defaults, err := os.ReadFile("testdata/good/defaults.hcl")
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Contains(readme, append(append([]byte("```hcl\n"), defaults...), "```"...)) {
		t.Error("README.md does not show testdata/good/defaults.hcl as it is")
	}
}

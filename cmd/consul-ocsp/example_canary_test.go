package main

import (
	"os"
	"path/filepath"
	"regexp"
	"testing"
)

// The canary's example works word by word, as TestClusterExample has it: a round
// that alarms nobody, then one that fails.
func TestCanaryExample(t *testing.T) {
	t.Parallel()
	dir := copyExample(t, filepath.Join("..", "..", "examples", "canary"), "8888", "8443")
	out := runExample(t, dir, shellBlocks(readText(t, filepath.Join(dir, "README.md"))))
	rest := out
	for _, want := range []string{
		`edge/canary.example.test +canary`, `edge/canary.example.test +ok +20\S+Z +\d+\.\ds +\d+\.\ds`,
		`CONSUL-OCSP OK - 3 staples`, `nobody was told\n`,
		`canary: .*canary-revoke: ./revoke.sh: exit status 1: .*\n`, `canary: .*canary-renew: ./renew.sh: exit status 1: .*\n`,
		`CONSUL-OCSP WARNING - .*1 of 1 canary`, `exit code 1\n`,
	} {
		at := regexp.MustCompile(want).FindStringIndex(rest)
		if at == nil {
			t.Fatalf("nothing in the rest of its output fits %s:\n%s", want, out)
		}
		rest = rest[at[1]:]
	}
	if _, err := os.Stat(filepath.Join(dir, "run")); !os.IsNotExist(err) {
		t.Errorf("it leaves its folder behind: %v", err)
	}
}

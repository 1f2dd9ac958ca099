package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

const watchExample = "../../examples/consul-watch"

// The example works word by word, as TestClusterExample has it.
func TestWatchExample(t *testing.T) {
	t.Parallel()
	dir := copyExample(t, watchExample, "8888", "8500", "8300", "8301", "8443", "8444")
	out := runExample(t, dir, shellBlocks(readText(t, filepath.Join(dir, "README.md"))))
	rest := out
	for _, want := range []string{
		`edge/www.example.test  missing  waiting: no verified response yet\n`,
		`edge/www.example.test  fetched  good until 20.*Z\n`,
		`stapled and verified: good\n(.*\n)*?stapled and verified: good\n`,
		`www.example.test.pem.ocsp\n(.*\n)*?www.example.test.pem.ocsp\n`,
		`www.example.test is revoked\n`,
		`edge/www.example.test  fetched  revoked until 20.*Z\n`,
		`Cert Status: revoked\n.*Cert Status: revoked\n`,
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

// The example's policies are rules that the rights were tested with: who fetches
// has those of a leader, and a handler some of a node's.
func TestWatchExamplePolicies(t *testing.T) {
	t.Parallel()
	for name, rules := range map[string][]string{"node": nodeRules[:3], "fetcher": leaderRules} {
		text := readText(t, filepath.Join(watchExample, "policy", name+".hcl"))
		text = regexp.MustCompile(`(?m)^#.*\n`).ReplaceAllString(text, "")
		if got, want := strings.Fields(text), strings.Fields(policy(rules, "NODE", "")); strings.Join(got, " ") != strings.Join(want, " ") {
			t.Errorf("policy/%s.hcl is\n%s\nand not\n%s", name, got, want)
		}
	}
}

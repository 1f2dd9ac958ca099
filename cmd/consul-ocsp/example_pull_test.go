package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/consul-ocsp/consul-ocsp/consul/consultest"
)

// The three servers that ask get their staples from the agent, word by word as
// the example has it.
func TestPullExample(t *testing.T) {
	t.Parallel()
	for _, server := range []string{"nginx", "apache2"} {
		if _, err := exec.LookPath(server); err != nil {
			t.Fatalf("%s is not installed: run testdata/tools/install", server)
		}
	}
	newer := t.TempDir() // its haproxy has ocsp-update.httpproxy
	if err := os.Symlink(consultest.Binary(t, "haproxy-3.0"), filepath.Join(newer, "haproxy")); err != nil {
		t.Fatal(err)
	}
	dir := copyExample(t, filepath.Join("..", "..", "examples", "pull"), "8888", "8889", "8443", "8444", "8445")
	open(t, dir) // Apache's workers are www-data
	out := runExample(t, dir, fmt.Sprintf("PATH=%q:$PATH\n", newer)+shellBlocks(readText(t, filepath.Join(dir, "README.md"))))
	if strings.Count(out, "stapled and verified: good\n") != 3 || !strings.Contains(out, "www.example.test.pem: good\n") ||
		!strings.HasSuffix(strings.TrimSpace(out), "Cert Status: revoked") {
		t.Errorf("it says:\n%s", out)
	}
}

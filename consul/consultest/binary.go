package consultest

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// builder is the program that builds what tests run, from the module's root.
const builder = "testdata/tools/build"

// Binary returns the path of a program that tests run: "consul", "consul-template", "nomad", "haproxy-3.0", "toxiproxy", or
// "previous", our own release before this one. The environment names it (CONSUL_BIN, CONSUL_TEMPLATE_BIN, NOMAD_BIN,
// HAPROXY_30_BIN, TOXIPROXY_BIN, PREVIOUS_BIN);
// otherwise it is built on demand into the user's cache folder, which takes minutes the first time. It must be called
// from a folder of this module, as tests are. It fails the test when there is none.
func Binary(t testing.TB, name string) string {
	t.Helper()
	variable := strings.ToUpper(strings.NewReplacer("-", "_", ".", "").Replace(name)) + "_BIN"
	if path := os.Getenv(variable); path != "" {
		found, err := exec.LookPath(path)
		if err != nil {
			t.Fatalf("%s: %v", variable, err)
		}
		return found
	}
	root, err := moduleRoot()
	if err != nil {
		t.Fatalf("%s: %v: set %s", name, err, variable)
	}
	var stdout, stderr bytes.Buffer
	build := exec.Command(filepath.Join(root, builder), name)
	build.Stdout, build.Stderr = &stdout, &stderr
	if err := build.Run(); err != nil {
		t.Fatalf("%s: %v: %s", name, err, bytes.TrimSpace(stderr.Bytes()))
	}
	return strings.TrimSpace(stdout.String())
}

// moduleRoot is the nearest folder upwards that has the builder.
func moduleRoot() (string, error) {
	folder, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for {
		if _, err := os.Stat(filepath.Join(folder, builder)); err == nil {
			return folder, nil
		}
		parent := filepath.Dir(folder)
		if parent == folder {
			return "", errors.New("no " + builder + " above the working folder")
		}
		folder = parent
	}
}

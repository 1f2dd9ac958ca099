package inventory

import (
	"encoding/pem"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/consul-ocsp/consul-ocsp/plugin/testca"
	"github.com/consul-ocsp/consul-ocsp/plugin/testca/testcatest"
)

// yard is a CA and a folder for certificates.
type yard struct {
	t      *testing.T
	ca     *testca.CA
	folder string
}

func newYard(t *testing.T) *yard {
	t.Helper()
	ca := testcatest.Init(t, testca.InitOptions{})
	return &yard{t: t, ca: ca, folder: t.TempDir()}
}

func (y *yard) path(name string) string { return filepath.Join(y.folder, name) }

// issue writes a certificate's PEM to a file of the folder, and gives its path.
func (y *yard) issue(file string, o testca.IssueOptions) string {
	y.t.Helper()
	o.File = y.path(file)
	if err := os.MkdirAll(filepath.Dir(o.File), 0o755); err != nil {
		y.t.Fatal(err)
	}
	testcatest.Issue(y.t, y.ca, o, "www.example.com")
	return o.File
}

func (y *yard) write(file, content string) string {
	y.t.Helper()
	path := y.path(file)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		y.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		y.t.Fatal(err)
	}
	return path
}

func (y *yard) link(to, file string) {
	y.t.Helper()
	if err := os.Symlink(to, y.path(file)); err != nil {
		y.t.Fatal(err)
	}
}

func (y *yard) pipe(file string) {
	y.t.Helper()
	if err := syscall.Mkfifo(y.path(file), 0o600); err != nil {
		y.t.Fatal(err)
	}
}

// issuerPEM is the CA's certificate as text.
func (y *yard) issuerPEM() string {
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: y.ca.Certificate().Raw}))
}

func set(paths ...string) []Source {
	return []Source{{Job: "edge", Sets: []Set{{Paths: paths}}}}
}

func names(certs []Certificate) string {
	var list []string
	for _, c := range certs {
		list = append(list, c.Name)
	}
	slices.Sort(list)
	return strings.Join(list, " ")
}

// wantProblems checks that there is one problem for each text, and no other.
func wantProblems(t *testing.T, got []Problem, texts ...string) {
	t.Helper()
	for _, text := range texts {
		i := slices.IndexFunc(got, func(p Problem) bool { return strings.Contains(p.Error(), text) })
		if i < 0 {
			t.Errorf("no problem says %q in %v", text, got)
			continue
		}
		got = slices.Delete(slices.Clone(got), i, i+1)
	}
	if len(got) > 0 {
		t.Errorf("problems besides: %v", got)
	}
}

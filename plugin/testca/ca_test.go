package testca

import (
	"crypto/x509"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func newCA(t testing.TB, o InitOptions) *CA {
	t.Helper()
	c, err := Init(t.TempDir(), o)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func issue(t testing.TB, c *CA, o IssueOptions, names ...string) *Issued {
	t.Helper()
	i, err := c.Issue(names, o)
	if err != nil {
		t.Fatal(err)
	}
	return i
}

// wantError fails unless err says all of parts.
func wantError(t *testing.T, err error, parts ...string) {
	t.Helper()
	if err == nil {
		t.Fatalf("no error, want one with %q", parts)
	}
	for _, part := range parts {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("error %q does not say %q", err, part)
		}
	}
}

func TestInitMakesTheFolder(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "new", "ca")
	c, err := Init(dir, InitOptions{Name: "Rehearsal"})
	if err != nil {
		t.Fatal(err)
	}
	for name, mode := range map[string]os.FileMode{
		"ca.pem": 0o644, "ca.key": 0o600, "index.txt": 0o644, "index.txt.attr": 0o644, "serial": 0o644,
	} {
		info, err := os.Stat(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode() != mode {
			t.Errorf("%s: mode %v, want %v", name, info.Mode(), mode)
		}
	}
	cert := c.Certificate()
	if cert.Subject.CommonName != "Rehearsal" || !cert.IsCA || cert.MaxPathLen != 1 || len(cert.SubjectKeyId) == 0 {
		t.Errorf("CA certificate: subject %q, CA %v, pathlen %d", cert.Subject, cert.IsCA, cert.MaxPathLen)
	}
	if want := x509.KeyUsageCertSign | x509.KeyUsageCRLSign | x509.KeyUsageDigitalSignature; cert.KeyUsage != want {
		t.Errorf("key usage %b, want %b", cert.KeyUsage, want)
	}
	_, err = Init(dir, InitOptions{})
	wantError(t, err, dir, "already holds a CA")
}

func TestOpenRefuses(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		spoil func(dir string) error
		want  string
	}{
		"no certificate":    {func(dir string) error { return os.Remove(filepath.Join(dir, "ca.pem")) }, "ca.pem"},
		"empty certificate": {func(dir string) error { return os.Truncate(filepath.Join(dir, "ca.pem"), 0) }, "no certificate found"},
		"no key":            {func(dir string) error { return os.Remove(filepath.Join(dir, "ca.key")) }, "ca.key"},
		"empty key":         {func(dir string) error { return os.Truncate(filepath.Join(dir, "ca.key"), 0) }, "no private key found"},
		"other key": {func(dir string) error {
			key, err := newKey(ECDSA)
			if err != nil {
				return err
			}
			text, err := encodeKey(key, nil)
			if err != nil {
				return err
			}
			return os.WriteFile(filepath.Join(dir, "ca.key"), text, 0o600)
		}, "not the key of"},
		"no index":     {func(dir string) error { return os.Remove(filepath.Join(dir, "index.txt")) }, "index.txt"},
		"broken index": {func(dir string) error { return os.WriteFile(filepath.Join(dir, "index.txt"), []byte("V\n"), 0o644) }, "line 1"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := newCA(t, InitOptions{}).Dir()
			if err := c.spoil(dir); err != nil {
				t.Fatal(err)
			}
			_, err := Open(dir)
			wantError(t, err, dir, c.want)
		})
	}
}

func TestOneCABelowAnother(t *testing.T) {
	t.Parallel()
	root := newCA(t, InitOptions{Name: "root", Key: RSA})
	sub := newCA(t, InitOptions{Name: "sub", Parent: root})
	leaf := issue(t, sub, IssueOptions{}, "www.example.com").Leaf
	roots, between := x509.NewCertPool(), x509.NewCertPool()
	roots.AddCert(root.Certificate())
	between.AddCert(sub.Certificate())
	chains, err := leaf.Verify(x509.VerifyOptions{DNSName: "www.example.com", Roots: roots, Intermediates: between})
	if err != nil || len(chains) != 1 || len(chains[0]) != 3 {
		t.Fatalf("chains %v: %v", chains, err)
	}
}

func TestClockIsTheCallers(t *testing.T) {
	t.Parallel()
	now := time.Date(2031, 5, 6, 7, 8, 9, 123, time.UTC)
	c := newCA(t, InitOptions{Now: func() time.Time { return now }})
	leaf := issue(t, c, IssueOptions{}, "a.example").Leaf
	if want := time.Date(2031, 5, 6, 6, 8, 9, 0, time.UTC); !leaf.NotBefore.Equal(want) {
		t.Errorf("notBefore %v, want %v", leaf.NotBefore, want)
	}
	now = now.Add(time.Hour)
	if err := c.Revoke("a.example"); err != nil {
		t.Fatal(err)
	}
	x, err := c.readIndex()
	if err != nil {
		t.Fatal(err)
	}
	if got, want := x.find(leaf.SerialNumber).revoked, time.Date(2031, 5, 6, 8, 8, 9, 0, time.UTC); !got.Equal(want) {
		t.Errorf("revoked %v, want %v", got, want)
	}
}

// TestMain lets the test program stand for another process: with a folder in
// the environment it issues certificates there.
func TestMain(m *testing.M) {
	if dir := os.Getenv("TESTCA_ISSUE_IN"); dir != "" {
		c, err := Open(dir)
		for n := 0; n < 10 && err == nil; n++ {
			_, err = c.Issue([]string{os.Getenv("TESTCA_NAME")}, IssueOptions{})
		}
		if err != nil {
			os.Stderr.WriteString(err.Error())
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

func TestProcessesShareAFolder(t *testing.T) {
	t.Parallel()
	c := newCA(t, InitOptions{})
	issue(t, c, IssueOptions{}, "here.example")
	var others []*exec.Cmd
	for _, name := range []string{"one.example", "two.example", "three.example"} {
		p := exec.Command(os.Args[0])
		p.Env = append(os.Environ(), "TESTCA_ISSUE_IN="+c.Dir(), "TESTCA_NAME="+name)
		p.Stderr = os.Stderr
		if err := p.Start(); err != nil {
			t.Fatal(err)
		}
		others = append(others, p)
	}
	if err := c.Revoke("here.example"); err != nil {
		t.Error(err)
	}
	for _, p := range others {
		if err := p.Wait(); err != nil {
			t.Fatal(err)
		}
	}
	x, err := c.readIndex()
	if err != nil {
		t.Fatal(err)
	}
	if len(x.bySerial) != 31 || x.lines[0].entry.status != 'R' {
		t.Errorf("%d entries, the first %c; want 31, the first R", len(x.bySerial), x.lines[0].entry.status)
	}
}

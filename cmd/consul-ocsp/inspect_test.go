package main

import (
	"bytes"
	"crypto/x509"
	"encoding/base64"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/consul-ocsp/consul-ocsp/plugin/staple"
	"github.com/consul-ocsp/consul-ocsp/plugin/testca"
)

// What a CA put into a certificate must not drive the terminal.
func TestInspectShowsNoControlCharacters(t *testing.T) {
	ca, err := testca.Init(t.TempDir(), testca.InitOptions{})
	if err != nil {
		t.Fatal(err)
	}
	issued, err := ca.Issue([]string{"www.example.com"}, testca.IssueOptions{
		Responders: []string{"http://127.0.0.1:8888"},
		Template: func(c *x509.Certificate) {
			c.Subject.CommonName = "red \x1b[31m \u009b31m\r\nstatus  good"
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	code, stdout, stderr := runHere("inspect", issued.Path)
	if code != exitOK || !strings.Contains(stdout, "red") {
		t.Fatalf("exit code %d\n%s%s", code, stdout, stderr)
	}
	for _, r := range stdout + stderr {
		if unicode.IsControl(r) && r != '\n' {
			t.Fatalf("%q in the output:\n%q", r, stdout)
		}
	}
	if strings.Contains(stdout, "\nstatus") {
		t.Errorf("a name made a line of its own:\n%s", stdout)
	}
}

func TestInspectReadsNoMoreThanItNeeds(t *testing.T) {
	path := filepath.Join(t.TempDir(), "large.pem")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := f.Truncate(1 << 40); err != nil { // a hole: nothing is stored
		t.Fatal(err)
	}
	code, _, stderr := runHere("inspect", path)
	if code != exitUsage || !strings.Contains(stderr, "larger than 1048576 bytes") {
		t.Errorf("exit code %d, %q", code, stderr)
	}
}

// runHere runs a command in this process.
func runHere(args ...string) (code int, stdout, stderr string) {
	var out, err bytes.Buffer
	code = run(args, environment{
		stdin: strings.NewReader(""), stdout: &out, stderr: &err,
		lookup: func(string) (string, bool) { return "", false }, signals: osSignals,
	})
	return code, out.String(), err.String()
}

func TestBesideResponse(t *testing.T) {
	for path, want := range map[string]string{
		"certs/www.pem.ocsp": "certs/www.pem certs/www.pem.pem certs/www.pem.crt",
		"www.ocsp":           "www www.pem www.crt",
		"www.pem":            "",
		".ocsp":              "",
		"certs/.ocsp":        "",
	} {
		if got := strings.Join(besideResponse(path), " "); got != want {
			t.Errorf("%q: %q, want %q", path, got, want)
		}
	}
}

func TestSpan(t *testing.T) {
	for d, want := range map[time.Duration]string{
		0:                           "0s",
		59*time.Second + 999999:     "59s",
		time.Minute:                 "1m0s",
		time.Hour - time.Second:     "59m59s",
		47*time.Hour + time.Minute:  "47h1m",
		49 * time.Hour:              "2d1h",
		90*24*time.Hour - time.Hour: "89d23h",
	} {
		if got := span(d); got != want {
			t.Errorf("%v: %q, want %q", d, got, want)
		}
	}
}

// FuzzIdentify: whatever a file holds, it is a certificate, something to refuse
// as a response, or an error, and each can be shown.
func FuzzIdentify(f *testing.F) {
	dir := f.TempDir()
	ca, err := testca.Init(dir, testca.InitOptions{})
	if err != nil {
		f.Fatal(err)
	}
	f.Add("ca.pem", []byte("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"))
	f.Add("ca.der", ca.Certificate().Raw)
	f.Add("a.ocsp", []byte(base64.StdEncoding.EncodeToString(testca.ErrorResponse(3))))
	f.Add("a.ocsp", []byte{0x30, 0x03, 0x0a, 0x01, 0x03})
	f.Add("a.pem", []byte("-----BEGIN OCSP RESPONSE-----\nMAMKAQM=\n-----END OCSP RESPONSE-----\n"))
	f.Add("prose", []byte("Dear reader"))
	f.Fuzz(func(t *testing.T, path string, data []byte) {
		s, err := identify(path, data)
		if err != nil {
			return
		}
		if s.held == nil {
			staple.Explain(s.response, nil, nil, staple.Options{Now: time.Unix(1700000000, 0)})
			return
		}
		var out bytes.Buffer
		c := newCommand(environment{stdout: &out, stderr: &out}, "inspect", "", "")
		i := inspection{command: c, path: "file", now: time.Unix(1700000000, 0)}
		s.held.path = filepath.Join(dir, "absent")
		if code := i.certificate(s.held); code != exitOK {
			t.Fatalf("exit code %d: %s", code, out.String())
		}
	})
}

package main

import (
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the pages that are made from the code")

// The page of the job file says what the checks say.
func TestReferenceIsUpToDate(t *testing.T) {
	t.Parallel()
	const page = "../../REFERENCE.md"
	want := pages(commands(environment{}))["REFERENCE.md"]
	if *update {
		if err := os.WriteFile(page, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if got := readText(t, page); got != want {
		t.Error("REFERENCE.md is not what the code says: run make docs")
	}
}

// groff has nothing to object to the manual pages, and they say what help says.
func TestManualPages(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if out, code := consulOCSP(t, "docs", dir); code != exitOK {
		t.Fatalf("docs ends with %d:\n%s", code, out)
	}
	for page, says := range map[string][]string{
		"consul-ocsp.1":     {"consul-ocsp agent [flags]", "-config-file=file", "consul-ocsp testca serve", "EXIT STATUS"},
		"consul-ocsp.hcl.5": {"CONSUL TLS", "min_delay (duration", `required, as in "/etc/haproxy/certs/www.pem"`},
	} {
		cmd := exec.CommandContext(t.Context(), "groff", "-man", "-Tutf8", "-ww", "-P-cbou", "-rLL=200n", filepath.Join(dir, page))
		var warnings strings.Builder
		cmd.Stderr = &warnings
		out, err := cmd.Output()
		if err != nil || warnings.String() != "" {
			t.Errorf("%s: %v\n%s", page, err, warnings.String())
		}
		text := strings.Join(strings.Fields(strings.ReplaceAll(string(out), "−", "-")), " ")
		for _, want := range says {
			if !strings.Contains(text, want) {
				t.Errorf("%s does not say %q", page, want)
			}
		}
	}
}

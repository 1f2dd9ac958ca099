package plugin

import (
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/consul-ocsp/consul-ocsp/plugin/settings"
)

// A pipe in the place of a file that a setting names keeps nobody waiting.
func TestAPipeIsNoFile(t *testing.T) {
	pipe := filepath.Join(t.TempDir(), "pipe")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := settings.ReadCertificates("trusted_responders", pipe); err == nil || !strings.Contains(err.Error(), "not a regular file") {
		t.Errorf("trusted_responders: %v", err)
	}
}

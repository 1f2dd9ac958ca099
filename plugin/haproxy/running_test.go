package haproxy

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

func TestConfigArgs(t *testing.T) {
	for given, want := range map[string]string{
		"-Ws -f /etc/haproxy.cfg -p /run/h.pid -S /run/m.sock":        "-f /etc/haproxy.cfg",
		"-sf 12 13 -x /run/s -W -db -f a.cfg -f conf.d -C /etc/h -dW": "-f a.cfg -f conf.d -C /etc/h -dW",
		"-D -L peer -m 100 -- a.cfg b.cfg":                            "-L peer -m 100 -f a.cfg -f b.cfg",
		"-f":                                                          "",
		"-dK all -vv":                                                 "",
	} {
		if got := configArgs(strings.Fields(given)); !slices.Equal(got, strings.Fields(want)) {
			t.Errorf("%s: %q, want %s", given, got, want)
		}
	}
}

// What a process that is no HAProxy of ours was started with is never run.
func TestOnlyHAProxyIsBelieved(t *testing.T) {
	for _, pid := range []int{-1, 0, 1, 1 << 30} {
		if r, ok := masterOf(pid); ok {
			t.Errorf("%d: %+v", pid, r)
		}
	}
}

// A pipe among the files that HAProxy was started with keeps nobody waiting, and
// the files beside it are read.
func TestZeroWarningBesideAPipe(t *testing.T) {
	folder := t.TempDir()
	pipe := filepath.Join(folder, "a.cfg")
	if err := unix.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	if zeroWarning(pipe, "/") || zeroWarning("a.cfg", folder) || zeroWarning(folder, "/") {
		t.Error("zero-warning was read from a pipe")
	}
	if err := os.WriteFile(filepath.Join(folder, "b.cfg"), []byte("global\n\tzero-warning\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if !zeroWarning(folder, "/") {
		t.Error("zero-warning beside a pipe was not found")
	}
}

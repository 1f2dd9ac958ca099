package main

import (
	"os"
	"path/filepath"
	"testing"
)

func TestLogFileRotatesByBytes(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "agent.log")
	if err := os.WriteFile(filepath.Join(dir, "agent-notes.log"), []byte("not ours"), 0o600); err != nil {
		t.Fatal(err)
	}
	l, err := openLogFile(path, 10, 2)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	for _, line := range []string{"one\n", "two\n", "a line beyond the limit\n", "three\n", "four\n", "five\n"} {
		if _, err := l.Write([]byte(line)); err != nil {
			t.Fatal(err)
		}
	}
	if b, err := os.ReadFile(path); err != nil || string(b) != "four\nfive\n" {
		t.Errorf("the log is %q, %v", b, err)
	}
	old, err := filepath.Glob(filepath.Join(dir, "agent-2*.log"))
	if err != nil || len(old) != 2 {
		t.Fatalf("old files %v, %v; want 2", old, err)
	}
	if b, err := os.ReadFile(old[0]); err != nil || string(b) != "a line beyond the limit\n" {
		t.Errorf("the older one is %q, %v", b, err)
	}
	if _, err := os.Stat(filepath.Join(dir, "agent-notes.log")); err != nil {
		t.Errorf("somebody else's file is gone: %v", err)
	}
}

func TestLogFileIsReopened(t *testing.T) {
	path := filepath.Join(t.TempDir(), "agent.log")
	l, err := openLogFile(path, 0, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	write := func(line string) {
		if _, err := l.Write([]byte(line)); err != nil {
			t.Fatal(err)
		}
	}
	write("before\n")
	if err := os.Rename(path, path+".1"); err != nil {
		t.Fatal(err)
	}
	if err := l.Reopen(); err != nil {
		t.Fatal(err)
	}
	write("after\n")
	for file, want := range map[string]string{path + ".1": "before\n", path: "after\n"} {
		if b, err := os.ReadFile(file); err != nil || string(b) != want {
			t.Errorf("%s is %q, %v", file, b, err)
		}
	}
}

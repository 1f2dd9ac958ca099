package main

import (
	"context"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/consul-ocsp/consul-ocsp/consul/consultest"
	"github.com/consul-ocsp/consul-ocsp/plugin/haproxy/haproxytest"
)

// nomadPorts are those of the Nomad examples.
var nomadPorts = []string{"8888", "8500", "8300", "8301", "4646", "4647", "4648", "8443"}

// nomadExample is a copy of an example beside a copy of nomad-dev, which all of
// them start Consul and Nomad with; its ports are others.
func nomadExample(t *testing.T, name string) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "nomad")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	var other []string
	for _, port := range nomadPorts {
		other = append(other, port, strconv.Itoa(quietPort(t)))
	}
	replace := strings.NewReplacer(other...)
	for _, folder := range []string{"nomad-dev", name} {
		to := filepath.Join(dir, folder)
		if err := os.CopyFS(to, os.DirFS(filepath.Join("../../examples", folder))); err != nil {
			t.Fatal(err)
		}
		err := filepath.WalkDir(to, func(path string, e fs.DirEntry, err error) error {
			if err != nil || e.IsDir() {
				return err
			}
			return os.WriteFile(path, []byte(replace.Replace(readText(t, path))), 0) // keeps its mode
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return filepath.Join(dir, name)
}

// runNomadExample runs a script in an example's folder, with the real programs
// on PATH, and is what it says. On SIGTERM a Nomad in -dev mode ends its jobs
// too, so the script and all that it has started are sent that before they are
// killed.
func runNomadExample(t *testing.T, dir, script string) string {
	t.Helper()
	bin := t.TempDir()
	if err := os.Symlink(consultest.Binary(t, "nomad"), filepath.Join(bin, "nomad")); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, "sh", "-eu", "-c", script)
	cmd.Dir = dir
	for _, v := range cleanEnvironment() {
		if !strings.HasPrefix(v, "NOMAD_") {
			cmd.Env = append(cmd.Env, v)
		}
	}
	cmd.Env = append(cmd.Env, "PATH="+bin+":"+exampleBin(t, haproxytest.Binary(t))+":"+os.Getenv("PATH"))
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	output := &logged{}
	cmd.Stdout, cmd.Stderr = output, output
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGTERM) }
	cmd.WaitDelay = 5 * time.Second
	err := cmd.Run()
	if cmd.Process != nil {
		endGroup(t, cmd.Process.Pid, ctx.Err() != nil)
	}
	if err != nil {
		logs, _ := filepath.Glob(filepath.Join(dir, "run", "*.log"))
		for _, log := range logs {
			lines := strings.SplitAfter(readText(t, log), "\n")
			t.Logf("end of %s:\n%s", log, strings.Join(lines[max(0, len(lines)-60):], ""))
		}
		t.Fatalf("%v:\n%s", err, output)
	}
	return output.String()
}

// endGroup ends what is left of a process group, and kills what does not end. It
// asks once: a Nomad that is asked again ends without its jobs.
func endGroup(t *testing.T, pgid int, asked bool) {
	t.Helper()
	if !asked {
		_ = syscall.Kill(-pgid, syscall.SIGTERM)
	}
	deadline := time.After(30 * time.Second)
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for syscall.Kill(-pgid, 0) == nil {
		select {
		case <-tick.C:
		case <-deadline:
			t.Errorf("processes of group %d did not end and are killed", pgid)
			_ = syscall.Kill(-pgid, syscall.SIGKILL)
			return
		}
	}
}

// inOrder checks that an output has a match for each pattern, one after the
// other.
func inOrder(t *testing.T, output string, patterns ...string) {
	t.Helper()
	rest := output
	for _, p := range patterns {
		at := regexp.MustCompile("(?m)" + p).FindStringIndex(rest)
		if at == nil {
			t.Fatalf("nothing in the rest of its output fits %s:\n%s", p, output)
		}
		rest = rest[at[1]:]
	}
}

// leavesNothing checks that an example's last block took all away.
func leavesNothing(t *testing.T, dir string) {
	t.Helper()
	if _, err := os.Stat(filepath.Join(dir, "run")); !os.IsNotExist(err) {
		t.Errorf("it leaves its folder behind: %v", err)
	}
}

package main

import (
	"context"
	"math/rand/v2"
	"net"
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

const clusterExample = "../../examples/consul-cluster"

// The example works word by word: the blocks of its README are run in order, by
// one shell, in a copy of its folder. Only the ports are others, so that it can
// run beside anything.
func TestClusterExample(t *testing.T) {
	t.Parallel()
	dir := copyExample(t, clusterExample, "8888", "8500", "8300", "8301", "8443", "8444")
	script := shellBlocks(readText(t, filepath.Join(dir, "README.md")))
	out := runExample(t, dir, script)

	// First all is good, then www is revoked, then only shop is good.
	rest := out
	for _, want := range []string{
		`stapled and verified: good\n(.*\n)*?stapled and verified: good\n`,
		`Cert Status: good\n.*This Update: .*\n.*Next Update: .*\n.*Cert Status: good\n`,
		`2 staples: 2 ok\n3 nodes: 3 ok\n`,
		`www.example.test is revoked\n`,
		`Cert Status: revoked\n.*Cert Status: revoked\n`,
		`2 staples: 1 revoked, 1 ok\n`,
		`edge/www.example.test +revoked`,
		`stapled and verified, but it says revoked\nexit code 1\n`,
		`stapled and verified: good\n`,
	} {
		at := regexp.MustCompile(want).FindStringIndex(rest)
		if at == nil {
			t.Fatalf("nothing in the rest of its output fits %s:\n%s", want, out)
		}
		rest = rest[at[1]:]
	}
	if _, err := os.Stat(filepath.Join(dir, "run")); !os.IsNotExist(err) {
		t.Errorf("it leaves its folder behind: %v", err)
	}
}

// The example's policies are the rules that the rights were tested with.
func TestClusterExamplePolicies(t *testing.T) {
	t.Parallel()
	for name, rules := range map[string][]string{"node": nodeRules, "leader": leaderRules, "status": statusRules} {
		text := readText(t, filepath.Join(clusterExample, "policy", name+".hcl"))
		text = regexp.MustCompile(`(?m)^#.*\n`).ReplaceAllString(text, "")
		if got, want := strings.Fields(text), strings.Fields(policy(rules, "NODE", "")); strings.Join(got, " ") != strings.Join(want, " ") {
			t.Errorf("policy/%s.hcl is\n%s\nand not\n%s", name, got, want)
		}
	}
}

// exampleBin is a folder with the programs that an example finds on PATH.
func exampleBin(t *testing.T, haproxy string) string {
	t.Helper()
	ours, err := exec.LookPath("consul-ocsp")
	if err != nil {
		t.Fatal(err)
	}
	bin := t.TempDir()
	for name, path := range map[string]string{
		"consul-ocsp": ours, "haproxy": haproxy,
		"consul": consultest.Binary(t, "consul"), "consul-template": consultest.Binary(t, "consul-template"),
	} {
		if err := os.Symlink(path, filepath.Join(bin, name)); err != nil {
			t.Fatal(err)
		}
	}
	return bin
}

// copyExample copies an example into a folder with a short path, since HAProxy's
// sockets are there, and gives it other ports.
func copyExample(t *testing.T, from string, ports ...string) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "example")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.CopyFS(dir, os.DirFS(from)); err != nil {
		t.Fatal(err)
	}
	var other []string
	for _, port := range ports {
		other = append(other, port, strconv.Itoa(quietPort(t)))
	}
	replace := strings.NewReplacer(other...)
	files, err := filepath.Glob(filepath.Join(dir, "*.*"))
	if err != nil {
		t.Fatal(err)
	}
	nested, err := filepath.Glob(filepath.Join(dir, "*", "*.hcl"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range append(files, nested...) {
		text := replace.Replace(readText(t, file))
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// quietPort is a port that nobody listens on, below those that the kernel gives
// to outgoing connections.
func quietPort(t *testing.T) int {
	t.Helper()
	for range 100 {
		port := 12000 + rand.IntN(18000)
		address := net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
		stream, err := net.Listen("tcp", address)
		if err != nil {
			continue
		}
		stream.Close()
		if packets, err := net.ListenPacket("udp", address); err == nil {
			packets.Close()
			return port
		}
	}
	t.Fatal("no free port")
	return 0
}

// shellBlocks are the lines of all blocks that are marked as a shell's.
func shellBlocks(markdown string) string {
	var script strings.Builder
	inside := false
	for line := range strings.Lines(markdown) {
		switch {
		case strings.HasPrefix(line, "```"):
			inside = strings.TrimSpace(line) == "```sh"
		case inside:
			script.WriteString(line)
		}
	}
	return script.String()
}

// runExample runs the script in a folder, with the real programs on PATH, and
// is what it says. Whatever it starts ends with the test.
func runExample(t *testing.T, dir, script string) string {
	t.Helper()
	return runExampleOn(t, dir, script, haproxytest.Binary(t))
}

// runExampleOn is runExample with this HAProxy.
func runExampleOn(t *testing.T, dir, script, haproxy string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 3*patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, "sh", "-eu", "-c", script)
	cmd.Dir = dir
	cmd.Env = append(cleanEnvironment(), "PATH="+exampleBin(t, haproxy)+":"+os.Getenv("PATH"))
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	end := func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.Cancel, cmd.WaitDelay = end, 5*time.Second
	out, err := cmd.CombinedOutput()
	if cmd.Process != nil {
		_ = end()
	}
	if err != nil {
		logs, _ := filepath.Glob(filepath.Join(dir, "run", "*", "log"))
		more, _ := filepath.Glob(filepath.Join(dir, "run", "*.log"))
		for _, log := range append(logs, more...) {
			text, _ := os.ReadFile(log)
			t.Logf("%s:\n%s", log, text)
		}
		t.Fatalf("%v:\n%s", err, out)
	}
	return string(out)
}

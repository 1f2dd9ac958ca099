package main

import (
	"context"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/consul-ocsp/consul-ocsp/consul/consultest"
	"github.com/consul-ocsp/consul-ocsp/plugin/testca"
)

// nobody is who runs TestRights where it was started by root.
const nobody = 65534

// TestRights is the whole way with no right too many: Consul, HAProxy, openssl
// and every agent run as a user who owns nothing but a folder, Consul denies
// whatever a role does not need, and the files with private keys are closed to
// all others. Where the test is root's, it runs itself again as such a user.
func TestRights(t *testing.T) {
	t.Parallel()
	if os.Geteuid() == 0 {
		runAsNobody(t)
		return
	}
	const www, shop = "www.example.test", "shop.example.test"
	c := newCluster(t, newAuthority(t, testca.ResponderOptions{}), consultest.WithACL())
	c.tokens["fetcher"] = c.consul.CreateToken(t, policy(leaderRules, c.consul.Node(), ""))
	for _, name := range []string{"node-1", "node-2"} {
		c.tokens[name] = c.consul.CreateToken(t, policy(nodeRules, name, ""))
	}
	c.tokens["status"] = c.consul.CreateToken(t, policy(statusRules, "", ""))
	c.startFetcher(t, "fetcher", "")
	c.addNodes(t, 2, testca.IssueOptions{}, www, shop)
	c.served(t, www, "good")
	c.served(t, shop, "good")
	workers := c.workers()
	for _, n := range c.nodes {
		ownFiles(t, n, www)
	}
	t.Run("status", func(t *testing.T) { c.statusIs(t, "2 staples: 2 ok", "3 nodes: 3 ok") })

	c.authority.revoke(t, www)
	c.hurry(t)
	c.served(t, www, "revoked")
	c.served(t, shop, "good")
	c.sameWorkers(t, workers)
	for _, p := range []*running{c.fetcher, c.nodes[0].agent, c.nodes[1].agent} {
		if strings.Contains(p.log.String(), "permission denied") {
			t.Errorf("a right is missing:\n%s", p.log)
		}
		if code := p.stop(t, syscall.SIGTERM); code != exitOK {
			t.Errorf("an agent ends with %d", code)
		}
	}
}

// ownFiles checks who may read what on a node.
func ownFiles(t *testing.T, n *node, name string) {
	t.Helper()
	pem := n.certificate(name)
	for path, want := range map[string]fs.FileMode{
		pem:                          0o600,
		pem + ".ocsp":                0o644,
		filepath.Join(n.dir, "data"): fs.ModeDir | 0o700,
	} {
		eventually(t, path, func() error {
			info, err := os.Stat(path)
			if err == nil && info.Mode() != want {
				err = fmt.Errorf("its mode is %v, not %v", info.Mode(), want)
			}
			return err
		})
	}
}

// statusIs waits until a token that may only read shows all these words.
func (c *cluster) statusIs(t *testing.T, words ...string) {
	t.Helper()
	dir := t.TempDir()
	job := writeJob(t, filepath.Join(dir, "status.hcl"), c.head(t, "status", `"deliver"`, dir))
	eventually(t, "status", func() error {
		out, code := consulOCSP(t, "status", "-config-file="+job)
		for _, word := range words {
			if code != exitOK || !strings.Contains(out, word) {
				return fmt.Errorf("it ends with %d and does not say %q:\n%s", code, word, out)
			}
		}
		return nil
	})
}

// runAsNobody runs the test that calls it in a process of an unprivileged user.
// What that needs is copied where the user can reach it.
func runAsNobody(t *testing.T) {
	t.Helper()
	// Its folders are root's and open; only the last is the user's. The tests'
	// own folder is closed.
	dir, err := os.MkdirTemp("", "rights")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	home := filepath.Join(dir, "home")
	self, err := os.Executable()
	if err == nil {
		err = os.Chmod(dir, 0o755)
	}
	if err == nil {
		err = os.Mkdir(home, 0o700)
	}
	if err == nil {
		err = os.Chown(home, nobody, nobody)
	}
	if err != nil {
		t.Fatal(err)
	}
	program := copyProgram(t, self, filepath.Join(dir, "tests"))
	consul := copyProgram(t, consultest.Binary(t, "consul"), filepath.Join(dir, "consul"))

	ctx, cancel := context.WithTimeout(t.Context(), 10*patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, program, "-test.run=^"+t.Name()+"$", "-test.v", "-test.count=1")
	cmd.Dir = home
	cmd.Env = append(cleanEnvironment(), "HOME="+home, "TMPDIR="+home, "CONSUL_BIN="+consul)
	cmd.WaitDelay = 5 * time.Second
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Credential: &syscall.Credential{Uid: nobody, Gid: nobody},
		Pdeathsig:  syscall.SIGKILL,
	}
	out, err := cmd.CombinedOutput()
	if err != nil || !strings.Contains(string(out), "--- PASS: "+t.Name()+" ") {
		t.Fatalf("as user %d: %v\n%s", nobody, err, out)
	}
}

// copyProgram copies a program that others may run, too.
func copyProgram(t *testing.T, from, to string) string {
	t.Helper()
	in, err := os.Open(from)
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o755)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(out, in); err != nil {
		t.Fatal(err)
	}
	if err := out.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(to, 0o755); err != nil { // whatever the umask
		t.Fatal(err)
	}
	return to
}

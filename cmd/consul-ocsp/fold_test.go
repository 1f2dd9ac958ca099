package main

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/consul-ocsp/consul-ocsp/plugin/haproxy/haproxytest"
	"github.com/consul-ocsp/consul-ocsp/plugin/testca"
)

const (
	folded   = "nothing done: another sync is at work on this node"
	oncemore = "another pass was asked for meanwhile"
)

// heldUp is a node whose passes stop in the middle, when they have read what
// there is, until they are released.
type heldUp struct {
	*node
	authority    *authority
	busy, resume string // files: a pass is under way; it may go on
}

func newHeldUp(t *testing.T, name string) *heldUp {
	t.Helper()
	h := &heldUp{authority: newAuthority(t, testca.ResponderOptions{})}
	h.node = newAlone(t, h.authority, haproxytest.Options{}, name)
	h.busy, h.resume = filepath.Join(h.dir, "busy"), filepath.Join(h.dir, "resume")
	h.edit(t, "deliver \"haproxy\" {", fmt.Sprintf(`deliver "exec" {
    command = ["sh", "-c", "cat > /dev/null; echo $CONSUL_OCSP_STATUS >> %s; until [ -e %s ]; do sleep 0.05; done"]
  }
  deliver "haproxy" {`, h.busy, h.resume))
	t.Cleanup(h.release)
	h.fetch(t)
	return h
}

func (h *heldUp) release() { _ = os.WriteFile(h.resume, nil, 0o600) }

func (h *heldUp) fetch(t *testing.T) {
	t.Helper()
	if out, code := consulOCSP(t, "fetch", "-force", "-config-file="+h.job); code != exitOK {
		t.Fatalf("fetch ends with %d:\n%s", code, out)
	}
}

// startBusy starts a sync and waits until it is in the middle of its pass.
func (h *heldUp) startBusy(t *testing.T) *running {
	t.Helper()
	p := start(t, "sync", "-config-file="+h.job)
	eventually(t, "a pass under way", func() error { _, err := os.Stat(h.busy); return err })
	return p
}

// ends waits until a process has ended, and is its exit code.
func (p *running) ends(t *testing.T) int {
	t.Helper()
	select {
	case <-p.done:
	case <-time.After(patience):
		t.Fatalf("%v does not end:\n%s", p.cmd.Args, p.log)
	}
	return p.cmd.ProcessState.ExitCode()
}

// Nine that come while one is at work go at once; what was published after that
// one had read is brought by its second pass. One that is to wait gets a pass of
// its own.
func TestSyncFolds(t *testing.T) {
	t.Parallel()
	const www = "www.example.test"
	h := newHeldUp(t, www)
	first := h.startBusy(t)
	waiting := start(t, "sync", "-wait=30s", "-config-file="+h.job)
	required := start(t, "sync", "-require-push", "-config-file="+h.job)
	h.authority.revoke(t, www)
	h.fetch(t)
	var nine []*running
	for range 9 {
		nine = append(nine, start(t, "sync", "-config-file="+h.job))
	}
	for _, p := range nine {
		if code := p.ends(t); code != exitOK || !strings.Contains(p.log.String(), folded) {
			t.Errorf("one of nine ends with %d:\n%s", code, p.log)
		}
	}
	first.goesOn(t)
	waiting.goesOn(t)
	required.goesOn(t)
	h.release()
	if code := first.ends(t); code != exitOK || strings.Count(first.log.String(), oncemore) != 1 {
		t.Errorf("the one at work ends with %d:\n%s", code, first.log)
	}
	if out := first.log.String(); !strings.Contains(out, "revoked until") || strings.Contains(out, "good until") {
		t.Errorf("it did not find what came last:\n%s", out)
	}
	stapled(t, h.haproxy.Address(), www, "revoked")
	for _, p := range []*running{waiting, required} {
		if code := p.ends(t); code != exitOK || !strings.Contains(p.log.String(), "revoked until") {
			t.Errorf("%v ends with %d:\n%s", p.cmd.Args, code, p.log)
		}
	}
}

// One that is killed in the middle stands in nobody's way.
func TestSyncKilled(t *testing.T) {
	t.Parallel()
	const www = "www.example.test"
	h := newHeldUp(t, www)
	first := h.startBusy(t)
	if out, code := consulOCSP(t, "sync", "-config-file="+h.job); code != exitOK || !strings.Contains(out, folded) {
		t.Fatalf("a sync beside another ends with %d:\n%s", code, out)
	}
	first.kill()
	h.release()
	if out, code := consulOCSP(t, "sync", "-config-file="+h.job); code != exitOK || !strings.Contains(out, "good until") {
		t.Errorf("the next ends with %d:\n%s", code, out)
	}
	stapled(t, h.haproxy.Address(), www, "good")
}

// One that takes for ever, here a lock that the test holds, is waited for as long
// as -wait says and no longer.
func TestSyncBesideOneThatHangs(t *testing.T) {
	t.Parallel()
	const www = "www.example.test"
	h := newHeldUp(t, www)
	h.release()
	if out, code := consulOCSP(t, "sync", "-config-file="+h.job); code != exitOK {
		t.Fatalf("sync ends with %d:\n%s", code, out)
	}
	locks, err := filepath.Glob(filepath.Join(h.dir, "data", "sync", "*"))
	if err != nil || len(locks) != 1 {
		t.Fatalf("lock files: %v, %v", locks, err)
	}
	lock, err := os.Open(locks[0])
	if err != nil {
		t.Fatal(err)
	}
	defer lock.Close()
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		t.Fatal(err)
	}
	out, code := consulOCSP(t, "sync", "-wait=100ms", "-config-file="+h.job)
	if code != exitOK || !strings.Contains(out, "goes on beside it") || !strings.Contains(out, "good until") {
		t.Errorf("it ends with %d:\n%s", code, out)
	}
}

// Another configuration with the same data_dir has its own pass: the one at work
// knows nothing of its certificates.
func TestSyncOfAnotherConfiguration(t *testing.T) {
	t.Parallel()
	const www, other = "www.example.test", "other.example.test"
	h := newHeldUp(t, www)
	certs := filepath.Join(h.dir, "other")
	h.authority.issue(t, certs, testca.IssueOptions{}, other)
	text := fmt.Sprintf(alone, filepath.Join(h.dir, "data"), filepath.Join(h.dir, "lock"))
	job := writeJob(t, filepath.Join(h.dir, "other.hcl"), text+fmt.Sprintf("job \"edge\" {\n  certificates {\n    paths = [%q]\n  }\n}\n", certs))
	h.startBusy(t)
	if out, code := consulOCSP(t, "fetch", "-sync", "-config-file="+job); code != exitOK || !strings.Contains(out, "stapled") {
		t.Errorf("it ends with %d:\n%s", code, out)
	}
}

// Ten at once beside the node's own agent, while a revocation comes.
func TestSyncTenAtOnce(t *testing.T) {
	t.Parallel()
	const www, idle = "www.example.test", "idle.example.test"
	c := newCluster(t, newAuthority(t, testca.ResponderOptions{}))
	c.startFetcher(t, "fetcher", "")
	c.addNodes(t, 1, testca.IssueOptions{}, www)
	quiet := c.addQuietNode(t, t.TempDir(), idle)
	both := []*node{c.nodes[0], quiet}
	for _, n := range both {
		if out, code := consulOCSP(t, "sync", "-wait=30s", "-config-file="+n.job); code != exitOK {
			t.Fatalf("%s: sync ends with %d:\n%s", n.name, code, out)
		}
	}
	stapled(t, quiet.haproxy.Address(), idle, "good")
	c.authority.revoke(t, www)
	c.authority.revoke(t, idle)
	c.hurry(t)
	eventually(t, "both revocations", func() error {
		if out, _ := consulOCSP(t, "status", "-config-file="+quiet.job); !strings.Contains(out, "2 staples: 2 revoked\n") {
			return fmt.Errorf("not in Consul yet:\n%s", out)
		}
		return nil
	})
	for _, n := range both {
		worked := 0
		var ten []*running
		for range 10 {
			ten = append(ten, start(t, "sync", "-config-file="+n.job))
		}
		for _, p := range ten {
			if code := p.ends(t); code != exitOK {
				t.Errorf("%s: one of ten ends with %d:\n%s", n.name, code, p.log)
			}
			out := p.log.String()
			if strings.Contains(out, folded) == strings.Contains(out, "edge/") {
				t.Errorf("%s: it says neither or both:\n%s", n.name, out)
			}
			if strings.Contains(out, "edge/") {
				worked++
			}
		}
		if worked == 0 {
			t.Errorf("%s: nobody has worked", n.name)
		}
	}
	for n, name := range map[*node]string{c.nodes[0]: www, quiet: idle} {
		stapled(t, n.haproxy.Address(), name, "revoked")
	}
	c.nodes[0].agent.goesOn(t)
}

// What Consul hands to a handler is of no interest, but who writes it is not
// told so by a broken pipe, also when the sync folds.
func TestSyncStandardInput(t *testing.T) {
	t.Parallel()
	const www = "www.example.test"
	h := newHeldUp(t, www)
	handOver := func(want string) {
		t.Helper()
		for what, text := range map[string]string{"nothing": "", "null": "null\n", "10 MB": "[\"" + strings.Repeat("x", 10<<20) + "\"]\n"} {
			cmd := exec.Command("consul-ocsp", "sync", "-config-file="+h.job)
			cmd.Env = cleanEnvironment()
			var out logged
			cmd.Stdout, cmd.Stderr = &out, &out
			in, err := cmd.StdinPipe()
			if err == nil {
				err = cmd.Start()
			}
			if err != nil {
				t.Fatal(err)
			}
			if _, err := io.WriteString(in, text); err != nil {
				t.Errorf("%s: who writes it is told: %v", what, err)
			}
			in.Close()
			if err := cmd.Wait(); err != nil || !strings.Contains(out.String(), want) {
				t.Errorf("%s: %v:\n%s", what, err, &out)
			}
		}
	}
	first := h.startBusy(t)
	handOver(folded)
	h.release()
	first.ends(t)
	handOver("stapled")

	// A pipe that is never closed, and one that never ends.
	for _, writer := range []string{"sleep 60", "yes"} {
		t.Run(writer, func(t *testing.T) {
			t.Parallel()
			r, w, err := os.Pipe()
			if err != nil {
				t.Fatal(err)
			}
			endless := &running{cmd: exec.Command("sh", "-c", "exec "+writer), log: &logged{}, done: make(chan struct{})}
			endless.cmd.Stdout = w
			endless.begin(t)
			w.Close()
			p := &running{cmd: exec.Command("consul-ocsp", "sync", "-wait=1s", "-config-file="+h.job), log: &logged{}, done: make(chan struct{})}
			p.cmd.Stdin, p.cmd.Stdout, p.cmd.Stderr, p.cmd.Env = r, p.log, p.log, cleanEnvironment()
			p.begin(t)
			r.Close()
			if code := p.ends(t); code != exitOK {
				t.Errorf("it ends with %d:\n%s", code, p.log)
			}
		})
	}
}

package main

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hashicorp/consul/api"

	"github.com/consul-ocsp/consul-ocsp/consul/consultest"
	"github.com/consul-ocsp/consul-ocsp/plugin/haproxy/haproxytest"
	"github.com/consul-ocsp/consul-ocsp/plugin/testca"
)

const headKey = "consul-ocsp/v1/head"

// addQuietNode makes a node whose only news comes by a watch: it has
// certificates, a HAProxy and a job file, but no agent.
func (c *cluster) addQuietNode(t *testing.T, dir string, names ...string) *node {
	t.Helper()
	n := &node{name: "quiet", dir: dir, job: filepath.Join(dir, "node.hcl")}
	certs := filepath.Join(dir, "certs")
	c.authority.issue(t, certs, testca.IssueOptions{}, names...)
	n.haproxy = haproxytest.Start(t, haproxytest.Options{Certs: []string{certs + "/"}})
	writeJob(t, n.job, c.head(t, n.name, `"deliver"`, dir)+fmt.Sprintf(nodeJob, certs, n.haproxy.Socket()))
	c.nodes = append(c.nodes, n)
	return n
}

// watch runs consul watch with sync as its handler.
func (c *cluster) watch(t *testing.T, n *node, what ...string) *running {
	t.Helper()
	args := append([]string{"watch", "-http-addr=" + c.consul.Address(), "-token=" + c.tokens[n.name]}, what...)
	args = append(args, "consul-ocsp", "sync", "-config-file="+n.job, "-on-timeout=continue")
	p := &running{cmd: exec.Command(consultest.Binary(t, "consul"), args...), log: &logged{}, done: make(chan struct{})}
	p.cmd.Stdout, p.cmd.Stderr, p.cmd.Env = p.log, p.log, cleanEnvironment()
	p.begin(t)
	return p
}

// goesOn checks that a watch has not ended.
func (p *running) goesOn(t *testing.T) {
	t.Helper()
	select {
	case <-p.done:
		t.Errorf("%v has ended", p.cmd.Args)
	default:
	}
}

// A node without an agent: what is published reaches its files and its HAProxy
// by the handler of a watch alone, from before anything was published.
func TestWatchKey(t *testing.T) {
	t.Parallel()
	const www, shop = "www.example.test", "shop.example.test"
	c := newCluster(t, newAuthority(t, testca.ResponderOptions{}), consultest.WithACL())
	c.tokens["quiet"] = c.consul.CreateToken(t, policy(nodeRules, "quiet", ""))
	n := c.addQuietNode(t, t.TempDir(), www, shop)
	workers := c.workers()
	watch := c.watch(t, n, "-type=key", "-key="+headKey)
	watch.says(t, "edge/"+www) // nothing is there yet: null on its standard input
	c.startFetcher(t, "fetcher", "")
	c.served(t, www, "good")
	c.served(t, shop, "good")

	before := n.response(t, www)
	c.authority.revoke(t, www)
	c.hurry(t)
	c.served(t, www, "revoked")
	c.served(t, shop, "good")
	if now := n.response(t, www); string(now) == string(before) {
		t.Error("the file holds the old response")
	}
	c.sameWorkers(t, workers)
	watch.goesOn(t)
}

// A watch of the prefix hands over everything, here megabytes.
func TestWatchKeyPrefix(t *testing.T) {
	t.Parallel()
	const www = "www.example.test"
	c := newCluster(t, newAuthority(t, testca.ResponderOptions{}))
	for i := range 10 {
		pair := &api.KVPair{Key: fmt.Sprintf("consul-ocsp/other/%d", i), Value: make([]byte, 500_000)}
		if _, err := c.consul.Client().KV().Put(pair, nil); err != nil {
			t.Fatal(err)
		}
	}
	n := c.addQuietNode(t, t.TempDir(), www)
	watch := c.watch(t, n, "-type=keyprefix", "-prefix=consul-ocsp/")
	c.startFetcher(t, "fetcher", "")
	c.served(t, www, "good")
	c.authority.revoke(t, www)
	c.hurry(t)
	c.served(t, www, "revoked")
	watch.goesOn(t)
}

// The Consul agent runs the handler itself, and a handler that fails, here since
// there is no job file yet, stops nothing.
func TestWatchStanza(t *testing.T) {
	t.Parallel()
	const www = "www.example.test"
	dir := t.TempDir()
	c := newCluster(t, newAuthority(t, testca.ResponderOptions{}), consultest.WithConfig(fmt.Sprintf(`
watches = [{
  type = "key"
  key  = %q
  args = ["consul-ocsp", "sync", "-config-file=%s"]
}]
`, headKey, filepath.Join(dir, "node.hcl"))))
	n := c.addQuietNode(t, dir, www)
	workers := c.workers()
	if out, code := consulOCSP(t, "sync", "-config-file="+n.job, "-on-timeout=continue"); code != exitOK {
		t.Fatalf("the first sync, which announces, ends with %d:\n%s", code, out)
	}
	n.unstapled(t, www)
	c.startFetcher(t, "fetcher", "")
	c.served(t, www, "good")
	c.authority.revoke(t, www)
	c.hurry(t)
	c.served(t, www, "revoked")
	c.sameWorkers(t, workers)
}

// consul watch ends with its handler's first failure,
// which is why the example has -on-timeout=continue.
func TestWatchEndsWithFailure(t *testing.T) {
	t.Parallel()
	c := newCluster(t, newAuthority(t, testca.ResponderOptions{}))
	n := c.addQuietNode(t, t.TempDir(), "www.example.test")
	cmd := exec.CommandContext(t.Context(), consultest.Binary(t, "consul"), "watch", "-http-addr="+c.consul.Address(),
		"-type=key", "-key="+headKey, "consul-ocsp", "sync", "-config-file="+n.job)
	cmd.Env = cleanEnvironment()
	out, err := cmd.CombinedOutput()
	if err == nil || !strings.Contains(string(out), "Error executing handler: exit status 1") {
		t.Errorf("%v:\n%s", err, out)
	}
}

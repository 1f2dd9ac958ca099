package main

import (
	"cmp"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/consul-ocsp/consul-ocsp/consul/consultest"
	"github.com/consul-ocsp/consul-ocsp/plugin/haproxy/haproxytest"
	"github.com/consul-ocsp/consul-ocsp/plugin/testca"
)

// node is an agent that delivers, with its certificates and its HAProxy.
type node struct {
	name, dir, job string
	haproxy        *haproxytest.Process
	agent          *running
}

// cluster is a Consul, a responder, a fetching agent that holds no certificate,
// and nodes.
type cluster struct {
	consul    *consultest.Server
	authority *authority
	fetcher   *running
	job       string // the fetcher's
	nodes     []*node
	tokens    map[string]string // by the agent's name, where it is not Consul's own
	addresses map[string]string // of Consul by the agent's name, where it is not that of the one server
	sessions  string            // how long they and the lock last; brief by default
	announce  string            // attributes for the announce blocks
	more      string            // what all job files have besides
	byReload  bool              // HAProxies are only reloaded, through their masters
	// inJob are blocks that a node's job has besides; nil: none.
	inJob func(n *node) string
}

// clusterJob is what all job files of a cluster begin with.
const clusterJob = `node_name = %q
roles     = [%s]
data_dir  = %q
lock_dir  = %q
consul {
  address     = %q
  token       = %q
  %s
}
announce {
  splay = "0s"
  %s
}
`

// brief are sessions as short as Consul takes them.
const brief = `session_ttl = "10s"
  lock_delay  = "1s"`

// fetcherJob is what a fetching agent adds: the responder is on loopback.
const fetcherJob = `fetch {
  allow_private_addresses = true
  %s
}
`

const nodeJob = `job "edge" {
  certificates {
    paths = [%q]
  }
  deliver "haproxy" {
    socket = %q
  }
}
`

func (c *cluster) head(t *testing.T, name, roles, dir string) string {
	token, ok := c.tokens[name]
	if !ok {
		token = c.consul.Token()
	}
	address, ok := c.addresses[name]
	if !ok {
		address = c.consul.Address()
	}
	sessions := cmp.Or(c.sessions, brief)
	return fmt.Sprintf(clusterJob, name, roles, filepath.Join(dir, "data"), filepath.Join(dir, "lock"), address, token, sessions, c.announce) + c.more
}

// newCluster starts Consul; the rest is started one by one.
func newCluster(t *testing.T, a *authority, o ...consultest.Option) *cluster {
	t.Helper()
	return &cluster{consul: consultest.Start(t, o...), authority: a, tokens: map[string]string{}}
}

// startFetcher starts the agent that fetches; fetch are attributes for its
// fetch block.
func (c *cluster) startFetcher(t *testing.T, name, fetch string) *running {
	t.Helper()
	dir := t.TempDir()
	job := writeJob(t, filepath.Join(dir, "fetcher.hcl"), c.head(t, name, `"fetch"`, dir)+fmt.Sprintf(fetcherJob, fetch))
	c.job = job
	c.fetcher = start(t, "agent", "-config-file="+job, "-log-level=debug")
	return c.fetcher
}

// addNodes makes nodes that hold the same certificates, starts a HAProxy on each
// and then its agent.
func (c *cluster) addNodes(t *testing.T, count int, o testca.IssueOptions, names ...string) {
	t.Helper()
	for i := range count {
		dir := t.TempDir()
		n := &node{name: fmt.Sprintf("node-%d", i+1), dir: dir}
		certs := filepath.Join(dir, "certs")
		if i == 0 {
			c.authority.issue(t, certs, o, names...)
		} else {
			copyFolder(t, filepath.Join(c.nodes[0].dir, "certs"), certs)
		}
		c.nodes = append(c.nodes, n)
	}
	for _, n := range c.nodes {
		certs := filepath.Join(n.dir, "certs")
		n.haproxy = haproxytest.Start(t, haproxytest.Options{Certs: []string{certs + "/"}, MasterWorker: c.byReload})
		job := fmt.Sprintf(nodeJob, certs, n.haproxy.Socket())
		if c.byReload {
			job = fmt.Sprintf(nodeJob, certs, n.haproxy.MasterSocket())
			job = strings.Replace(job, "socket", "method = \"reload\"\n    min_interval = \"1s\"\n    socket", 1)
		}
		if c.inJob != nil {
			job = strings.Replace(job, "{\n", "{\n"+c.inJob(n), 1)
		}
		n.job = writeJob(t, filepath.Join(n.dir, "node.hcl"), c.head(t, n.name, `"deliver"`, n.dir)+job)
		n.start(t)
	}
}

func (n *node) start(t *testing.T) {
	t.Helper()
	n.agent = start(t, "agent", "-config-file="+n.job, "-log-level=debug")
}

// certificate is the path of one of the node's certificates.
func (n *node) certificate(name string) string { return filepath.Join(n.dir, "certs", name+".pem") }

// served waits until every node's HAProxy staples this status.
func (c *cluster) served(t *testing.T, name, status string) {
	t.Helper()
	for _, n := range c.nodes {
		stapled(t, n.haproxy.Address(), name, status)
	}
}

// asked checks how many requests the responder has seen.
func (c *cluster) asked(t *testing.T, want int64) {
	t.Helper()
	if got := c.authority.requests.Load(); got != want {
		t.Errorf("the responder was asked %d times; want %d", got, want)
	}
}

func (c *cluster) workers() []int {
	var pids []int
	for _, n := range c.nodes {
		pids = append(pids, n.haproxy.PID())
	}
	return pids
}

// sameWorkers checks that no HAProxy was reloaded or started again.
func (c *cluster) sameWorkers(t *testing.T, before []int) {
	t.Helper()
	for i, pid := range c.workers() {
		if pid != before[i] {
			t.Errorf("%s: HAProxy's process is %d, was %d", c.nodes[i].name, pid, before[i])
		}
	}
}

// hurry makes the fetcher refresh every second from now on.
func (c *cluster) hurry(t *testing.T) {
	t.Helper()
	text, err := os.ReadFile(c.job)
	if err != nil {
		t.Fatal(err)
	}
	writeJob(t, c.job, strings.Replace(string(text), "fetch {", "fetch {\n  min_delay = \"1s\"\n  max_delay = \"1s\"", 1))
	if err := c.fetcher.cmd.Process.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	c.fetcher.says(t, "configuration is reloaded")
}

// leadAgain starts the cluster's fetching agent again.
func (c *cluster) leadAgain(t *testing.T) {
	t.Helper()
	c.fetcher = start(t, "agent", "-config-file="+c.job, "-log-level=debug")
	c.fetcher.says(t, "this agent leads")
}

package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/consul-ocsp/consul-ocsp/plugin/haproxy/haproxytest"
	"github.com/consul-ocsp/consul-ocsp/plugin/testca"
)

const (
	aloneBegins = "this node fetches for its own certificates, until an agent leads again"
	aloneEnds   = "this node no longer fetches for itself"
	aloneSays   = "this node fetches for its own certificates: "
)

// While Consul is away and responses have used up most of their life, nodes
// fetch for themselves, each certificate at another moment, and say so; when an
// agent leads again they stop, keep what is newer than what the cluster has, and
// follow on.
func TestFallback(t *testing.T) {
	t.Parallel()
	// So many that some of them have an early place in the five minutes over
	// which the nodes spread their requests.
	var names []string
	for i := range 100 {
		names = append(names, fmt.Sprintf("host-%d.example.test", i))
	}
	// 94 % of the life is over from the start; HAProxy staples it all the same.
	c := newCluster(t, newAuthority(t, testca.ResponderOptions{Backdate: 3 * time.Hour, Validity: 13 * time.Minute}))
	c.startFetcher(t, "fetcher", "")
	c.addNodes(t, 2, testca.IssueOptions{}, names...)
	before := map[string][]byte{}
	for _, n := range c.nodes {
		for _, name := range names {
			n.replaced(t, name, nil)
			before[name] = n.response(t, name)
		}
	}
	c.asked(t, int64(len(names)))

	c.fetcher.stop(t, syscall.SIGTERM)
	c.consul.Stop()
	alone := map[*node]string{}
	for _, n := range c.nodes {
		n.agent.says(t, aloneBegins)
		alone[n] = n.newer(t, before)
		out, code := consulOCSP(t, "status", "-json", "-config-file="+n.job)
		if code != exitFailed || !strings.Contains(out, aloneSays+"consul does not answer") {
			t.Errorf("status ends with %d without saying that %s fetches for itself:\n%s", code, n.name, out)
		}
	}

	c.consul.Restart()
	c.leadAgain(t)
	for _, n := range c.nodes {
		n.agent.says(t, aloneEnds)
		name := alone[n]
		if n.unchanged(t, name, n.response(t, name)); bytes.Equal(n.response(t, name), before[name]) {
			t.Errorf("%s: the older response of the cluster is back for %s", n.name, name)
		}
	}
	c.hurry(t)
	for _, n := range c.nodes {
		own := n.response(t, alone[n])
		n.replaced(t, alone[n], own)
		// Of the outage, of its end, and of fetching for itself.
		if log := n.agent.log.String(); strings.Count(log, "[WARN]")+strings.Count(log, "[ERROR]") > 8 {
			t.Errorf("%s makes many lines of an outage:\n%s", n.name, log)
		}
		if log := n.agent.log.String(); strings.Contains(log, "response refused") || strings.Count(log, aloneBegins) != 1 {
			t.Errorf("%s refuses a response, or falls back twice:\n%s", n.name, log)
		}
	}
}

// newer waits until one of the responses in files and in HAProxy is another,
// and is the name of its certificate.
func (n *node) newer(t *testing.T, before map[string][]byte) (name string) {
	t.Helper()
	eventually(t, n.name+" fetches for itself", func() error {
		for name = range before {
			if !bytes.Equal(n.response(t, name), before[name]) {
				return nil
			}
		}
		return fmt.Errorf("none of %d responses is new", len(before))
	})
	n.replaced(t, name, before[name])
	return name
}

// replaced waits until HAProxy staples what the file holds, and that is not
// what was there before.
func (n *node) replaced(t *testing.T, name string, before []byte) {
	t.Helper()
	eventually(t, n.name+" staples a new response for "+name, func() error {
		now, err := os.ReadFile(n.file(name))
		if err != nil || bytes.Equal(now, before) {
			return fmt.Errorf("the file does not hold one: %v", err)
		}
		if !bytes.Equal(n.staple(t, name), now) {
			return fmt.Errorf("HAProxy does not staple what the file holds")
		}
		return nil
	})
}

// A node that is new while Consul is away has nothing to rely on and fetches at
// once; one that must not never does.
func TestFallbackOfANewNode(t *testing.T) {
	t.Parallel()
	c := newCluster(t, newAuthority(t, testca.ResponderOptions{}))
	c.consul.Stop()
	c.more = "fallback = false\n"
	c.addNodes(t, 1, testca.IssueOptions{MustStaple: true}, www)
	c.more = ""
	c.addNode(t, "node-2")
	forbidden, free := c.nodes[0], c.nodes[1]
	stapled(t, free.haproxy.Address(), www, "good")
	free.agent.says(t, aloneBegins)
	forbidden.agent.says(t, "consul does not answer")
	if _, err := os.Stat(forbidden.file(www)); err == nil || strings.Contains(forbidden.agent.log.String(), aloneBegins) {
		t.Errorf("a node that must not fetch does: %v", err)
	}
	c.asked(t, 1)

	writeJob(t, forbidden.job, strings.Replace(readText(t, forbidden.job), "fallback = false\n", "", 1))
	forbidden.reload(t)
	stapled(t, forbidden.haproxy.Address(), www, "good")
	c.asked(t, 2)
}

// Consul is there and nobody leads: a new node waits for as long as an agent
// may take to lead, or a periodic task to come, and tells the cluster that it
// fetches for itself.
func TestFallbackWhileNobodyLeads(t *testing.T) {
	t.Parallel()
	c := newCluster(t, newAuthority(t, testca.ResponderOptions{}))
	c.more = "fetch {\n  min_delay = \"1s\"\n  max_delay = \"1s\"\n}\n"
	c.addNodes(t, 1, testca.IssueOptions{}, www)
	c.served(t, www, "good")
	job := c.nodes[0].job
	eventually(t, "status", func() error {
		if out, _ := consulOCSP(t, "status", "-json", "-config-file="+job); !strings.Contains(out, aloneSays+"nobody leads") {
			return fmt.Errorf("it does not say so:\n%s", out)
		}
		return nil
	})

	c.more = ""
	c.startFetcher(t, "fetcher", "")
	c.nodes[0].agent.says(t, aloneEnds)
	eventually(t, "status is without a fallback", func() error {
		if out, code := consulOCSP(t, "status", "-config-file="+job); code != exitOK || strings.Contains(out, "fallback") {
			return fmt.Errorf("it ends with %d:\n%s", code, out)
		}
		return nil
	})
}

// addNode makes one more node with the certificates of the first, and starts it.
func (c *cluster) addNode(t *testing.T, name string) {
	t.Helper()
	n := &node{name: name, dir: t.TempDir()}
	copyFolder(t, filepath.Join(c.nodes[0].dir, "certs"), filepath.Join(n.dir, "certs"))
	c.runNode(t, n)
}

// runNode starts HAProxy and the agent on a node whose folder has certificates.
func (c *cluster) runNode(t *testing.T, n *node) {
	t.Helper()
	certs := filepath.Join(n.dir, "certs")
	n.haproxy = haproxytest.Start(t, haproxytest.Options{Certs: []string{certs + "/"}})
	job := fmt.Sprintf(nodeJob, certs, n.haproxy.Socket())
	if c.inJob != nil {
		job = strings.Replace(job, "{\n", "{\n"+c.inJob(n), 1)
	}
	n.job = writeJob(t, filepath.Join(n.dir, "node.hcl"), c.head(t, n.name, `"deliver"`, n.dir)+job)
	n.start(t)
	c.nodes = append(c.nodes, n)
}

package main

import (
	"fmt"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/consul-ocsp/consul-ocsp/consul/consultest"
	"github.com/consul-ocsp/consul-ocsp/plugin/record"
	"github.com/consul-ocsp/consul-ocsp/plugin/testca"
)

// Federated datacenters: what nodes of any hold is fetched once, and published in
// each under its own lock. One that can't be reached from the beginning, and one
// that hangs later, delay nothing in the others, and catch up.
func TestDatacenters(t *testing.T) {
	t.Parallel()
	const shop = "shop.example.test"
	servers := consultest.StartDatacenters(t, []string{"east", "west", "south"})
	east := &cluster{consul: servers[0], authority: newAuthority(t, testca.ResponderOptions{}), tokens: map[string]string{}}
	west := &cluster{consul: servers[1], authority: east.authority, tokens: map[string]string{}}
	south := &cluster{consul: servers[2], authority: east.authority, tokens: map[string]string{}}
	south.consul.Stop()
	east.addNodes(t, 1, testca.IssueOptions{}, www)
	// The node in the west has the same certificate, and one of its own.
	n := &node{name: "node-1", dir: t.TempDir()}
	copyFolder(t, filepath.Join(east.nodes[0].dir, "certs"), filepath.Join(n.dir, "certs"))
	west.authority.issue(t, filepath.Join(n.dir, "certs"), testca.IssueOptions{}, shop)
	west.runNode(t, n)
	east.startPublisher(t, "south", "west")
	east.served(t, www, "good")
	west.served(t, www, "good")
	west.served(t, shop, "good")
	east.asked(t, 2)
	for _, c := range []*cluster{east, west} {
		if pair := c.lock(t); pair.Session == "" || !strings.Contains(string(pair.Value), `"fetcher"`) {
			t.Errorf("the lock is not the fetcher's: %+v, %s", pair, pair.Value)
		}
	}

	west.consul.Pause()
	east.authority.revoke(t, www)
	east.hurry(t)
	east.served(t, www, "revoked")
	west.served(t, www, "good")
	east.statusIs(t, "fetcher", "datacenter west: datacenter: ")
	west.consul.Resume()
	west.served(t, www, "revoked")
	west.served(t, shop, "good")
	south.consul.Restart()
	for name, status := range map[string]string{www: "revoked", shop: "good"} {
		south.published(t, n.id(t, name), status)
	}
	east.statusIs(t, "2 staples: 1 revoked, 1 ok", "2 nodes: 2 ok")

	// All locks are given back at once.
	if code := east.fetcher.stop(t, syscall.SIGTERM); code != exitOK {
		t.Errorf("the fetcher ends with %d", code)
	}
	for _, c := range []*cluster{east, west, south} {
		if pair := c.lock(t); pair.Session != "" {
			t.Errorf("the lock is still held: %+v", pair)
		}
	}
}

// published waits until this is what is published of a certificate.
func (c *cluster) published(t *testing.T, id, status string) {
	t.Helper()
	eventually(t, "v1/meta/"+id, func() error {
		pair, _, err := c.consul.Client().KV().Get("consul-ocsp/v1/meta/"+id, nil)
		if err != nil || pair == nil {
			return fmt.Errorf("there is none: %v", err)
		}
		if meta, err := record.DecodeMeta(pair.Value); err != nil || meta.Status != status {
			return fmt.Errorf("it says %s: %v", pair.Value, err)
		}
		return nil
	})
}

// Where an agent of the other datacenter leads there, it goes on to: only the
// lock's holder publishes. When it ends, the other one's leader takes over.
func TestDatacenterWithALeaderOfItsOwn(t *testing.T) {
	t.Parallel()
	servers := consultest.StartDatacenters(t, []string{"east", "west"})
	east := &cluster{consul: servers[0], authority: newAuthority(t, testca.ResponderOptions{}), tokens: map[string]string{}}
	west := &cluster{consul: servers[1], authority: east.authority, tokens: map[string]string{}}
	own := west.startFetcher(t, "west-fetcher", "")
	own.says(t, "this agent leads")
	west.addNodes(t, 1, testca.IssueOptions{}, www)
	west.served(t, www, "good")
	east.startPublisher(t, "west", "east")
	east.fetcher.says(t, "this agent leads")
	east.statusIs(t, "datacenter east: datacenter: this agent's")
	if pair := west.lock(t); !strings.Contains(string(pair.Value), `"west-fetcher"`) {
		t.Errorf("the lock was taken from who held it: %s", pair.Value)
	}
	own.stop(t, syscall.SIGTERM)
	eventually(t, "the lock in the west", func() error {
		if pair := west.lock(t); pair.Session == "" || !strings.Contains(string(pair.Value), `"fetcher"`) {
			return fmt.Errorf("it is another's: %s", pair.Value)
		}
		return nil
	})
	east.authority.revoke(t, www)
	east.hurry(t)
	west.served(t, www, "revoked")
}

// startPublisher starts the agent that fetches, and publishes to other
// datacenters besides its own.
func (c *cluster) startPublisher(t *testing.T, datacenters ...string) {
	t.Helper()
	dir := t.TempDir()
	text := c.head(t, "fetcher", `"fetch"`, dir) + fmt.Sprintf(fetcherJob, "")
	c.job = writeJob(t, filepath.Join(dir, "fetcher.hcl"), strings.Replace(text, "consul {", "consul {\n  datacenters = [\""+strings.Join(datacenters, `", "`)+"\"]", 1))
	c.fetcher = start(t, "agent", "-config-file="+c.job, "-log-level=debug")
}

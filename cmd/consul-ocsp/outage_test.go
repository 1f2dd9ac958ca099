package main

import (
	"strings"
	"testing"

	"github.com/consul-ocsp/consul-ocsp/plugin/testca"
)

// While Consul is away every node staples on, and every agent says so once; when
// it is back, what was fetched meanwhile reaches every node.
func TestConsulOutage(t *testing.T) {
	t.Parallel()
	const shop = "shop.example.test"
	c := newCluster(t, newAuthority(t, testca.ResponderOptions{}))
	c.startFetcher(t, "fetcher", "")
	c.addNodes(t, 2, testca.IssueOptions{}, www, shop)
	c.served(t, www, "good")
	c.served(t, shop, "good")
	workers, before := c.workers(), c.nodes[0].response(t, www)
	agents := []*running{c.fetcher, c.nodes[0].agent, c.nodes[1].agent}

	c.consul.Stop()
	for _, a := range agents {
		a.says(t, "consul does not answer")
	}
	c.authority.revoke(t, www)
	for _, n := range c.nodes {
		n.unchanged(t, www, before)
	}
	c.consul.Restart()
	c.hurry(t)
	c.served(t, www, "revoked")
	c.served(t, shop, "good")
	c.sameWorkers(t, workers)
	for _, a := range agents {
		a.says(t, "consul answers again")
	}
	for _, a := range agents {
		for _, text := range []string{"consul does not answer", "consul answers again"} {
			if n := strings.Count(a.log.String(), text); n != 1 {
				t.Errorf("%v says %q %d times", a.cmd.Args, text, n)
			}
		}
	}
}

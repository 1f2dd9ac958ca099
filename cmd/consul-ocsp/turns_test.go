package main

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/consul-ocsp/consul-ocsp/consul/consultest"
	"github.com/consul-ocsp/consul-ocsp/plugin/testca"
)

// Nodes whose HAProxies take staples by a reload only do so in turns, with the
// rights of nodes; where one fails, log and status say so, and it is mended.
func TestReloadsInACluster(t *testing.T) {
	t.Parallel()
	c := newCluster(t, newAuthority(t, testca.ResponderOptions{}), consultest.WithACL())
	c.byReload = true
	c.tokens["fetcher"] = c.consul.CreateToken(t, policy(leaderRules, c.consul.Node(), ""))
	for _, name := range []string{"node-1", "node-2"} {
		c.tokens[name] = c.consul.CreateToken(t, policy(nodeRules, name, ""))
	}
	c.tokens["status"] = c.consul.CreateToken(t, policy(statusRules, "", ""))
	c.startFetcher(t, "fetcher", "")
	c.addNodes(t, 2, testca.IssueOptions{}, www)
	c.served(t, www, "good")

	broken := c.nodes[1].haproxy.ConfigFile()
	config, err := os.ReadFile(broken)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(broken, append(config, "\tbogus\n"...), 0o600); err != nil {
		t.Fatal(err)
	}
	c.authority.revoke(t, www)
	c.hurry(t)
	// A revocation is urgent: the other node does not wait for the one that fails.
	stapled(t, c.nodes[0].haproxy.Address(), www, "revoked")
	c.nodes[1].agent.says(t, "unknown keyword 'bogus'")
	stapled(t, c.nodes[1].haproxy.Address(), www, "good")
	c.statusIs(t, "node-2", "reload-failed")
	if err := os.WriteFile(broken, config, 0o600); err != nil {
		t.Fatal(err)
	}
	c.served(t, www, "revoked")
	eventually(t, "the turns to be given back", func() error {
		pair, _, err := c.consul.Client().KV().Get("consul-ocsp/v1/reload", nil)
		if err != nil || pair == nil {
			return fmt.Errorf("no turn was ever asked for: %v", err)
		}
		if text := string(pair.Value); strings.Contains(text, "holders") || strings.Contains(text, "failed") {
			return fmt.Errorf("it holds %s", text)
		}
		return nil
	})
}

package main

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/consul-ocsp/consul-ocsp/consul/consultest"
	"github.com/consul-ocsp/consul-ocsp/plugin/testca"
)

const (
	serviceRule  = `service "consul-ocsp" { policy = "write" }`
	serviceBlock = "service {\n  tags = [\"edge\"]\n}\n"
)

// TestService is what operators see of the agents in Consul: each is an
// instance of one service, whose check goes with its staples, and none is left
// when it has stopped. Consul denies whatever is not needed.
func TestService(t *testing.T) {
	t.Parallel()
	const www = "www.example.test"
	c := newCluster(t, newAuthority(t, testca.ResponderOptions{}), consultest.WithACL())
	c.tokens["fetcher"] = c.consul.CreateToken(t, policy(leaderRules, c.consul.Node(), "")+"\n"+serviceRule)
	c.tokens["node-1"] = c.consul.CreateToken(t, policy(nodeRules, "node-1", "")+"\n"+serviceRule)
	c.tokens["node-2"] = c.consul.CreateToken(t, policy(nodeRules, "node-2", ""))
	c.more = serviceBlock
	c.startFetcher(t, "fetcher", "")
	c.addNodes(t, 2, testca.IssueOptions{}, www)
	c.served(t, www, "good")
	c.checks(t, "fetcher passing in sync with consul", "node-1 passing all certificates are stapled: 1")

	out := c.command(t, "catalog", "services", "-tags")
	if fields := strings.Fields(out); len(fields) != 3 || fields[0] != "consul" || fields[1] != "consul-ocsp" || fields[2] != "edge" {
		t.Errorf("consul catalog services -tags: %s", out)
	}
	// The node whose token lacks the right works on, and says which one it is.
	c.nodes[1].agent.denied(t, `service "consul-ocsp"`, serviceRule)

	// Its server goes away: the staple lives, but nobody serves it.
	c.nodes[0].haproxy.Stop()
	c.hurry(t)
	c.checks(t, "fetcher passing", "node-1 warning edge/"+www+": ")
	c.authority.revoke(t, www)
	c.checks(t, "fetcher passing", "node-1 critical edge/"+www+": the certificate is revoked")

	// A reload takes on other tags, or that there is to be no service.
	n := c.nodes[0]
	text := readText(t, n.job)
	writeJob(t, n.job, strings.Replace(text, `"edge"]`, `"other"]`, 1))
	n.reload(t)
	eventually(t, "the other tag", func() error {
		entries, _, err := c.consul.Client().Health().Service("consul-ocsp", "other", false, nil)
		if err == nil && len(entries) != 1 {
			err = fmt.Errorf("%d instances have it", len(entries))
		}
		return err
	})
	writeJob(t, n.job, strings.Replace(text, serviceBlock, "", 1))
	n.reload(t)
	c.checks(t, "fetcher passing")
	writeJob(t, n.job, text)
	n.reload(t)
	c.checks(t, "fetcher passing", "node-1 critical")

	for _, p := range []*running{n.agent, c.fetcher} {
		if code := p.stop(t, syscall.SIGTERM); code != exitOK {
			t.Errorf("an agent ends with %d", code)
		}
	}
	c.checks(t)
	if out := c.command(t, "catalog", "services"); strings.TrimSpace(out) != "consul" {
		t.Errorf("consul catalog services after all have stopped: %s", out)
	}
}

// reload makes the node's agent take on its job file.
func (n *node) reload(t *testing.T) {
	t.Helper()
	before := strings.Count(n.agent.log.String(), "configuration is reloaded")
	n.hup(t)
	eventually(t, "reload", func() error {
		if strings.Count(n.agent.log.String(), "configuration is reloaded") == before {
			return fmt.Errorf("not yet")
		}
		return nil
	})
}

// checks waits until Consul shows these agents and no others, each as
// "NODE STATUS OUTPUT…".
func (c *cluster) checks(t *testing.T, want ...string) {
	t.Helper()
	eventually(t, "checks", func() error {
		entries, _, err := c.consul.Client().Health().Service("consul-ocsp", "", false, nil)
		if err != nil {
			return err
		}
		var got []string
		for _, e := range entries {
			id := strings.TrimPrefix(e.Service.ID, "consul-ocsp-")
			for _, check := range e.Checks {
				if check.ServiceID != "" {
					got = append(got, fmt.Sprint(id, " ", check.Status, " ", check.Output))
				}
			}
		}
		same := len(got) == len(want)
		for i := 0; same && i < len(want); i++ {
			same = strings.HasPrefix(got[i], want[i])
		}
		if !same {
			return fmt.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
		return nil
	})
}

// command runs Consul's own command line.
func (c *cluster) command(t *testing.T, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), consultest.Binary(t, "consul"), args...)
	cmd.Dir = filepath.Dir(c.job)
	cmd.Env = append(cleanEnvironment(), "CONSUL_HTTP_ADDR="+c.consul.Address(), "CONSUL_HTTP_TOKEN="+c.consul.Token())
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("consul %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return string(out)
}

package main

import (
	"fmt"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/consul-ocsp/consul-ocsp/consul/consultest"
	"github.com/consul-ocsp/consul-ocsp/plugin/haproxy/haproxytest"
	"github.com/consul-ocsp/consul-ocsp/plugin/testca"
)

// The rules of each role, as the documentation has them; %s stands for the name
// of a node.
var nodeRules = []string{
	`key_prefix "consul-ocsp/" { policy = "read" }`,
	`key_prefix "consul-ocsp/v1/certificate/" { policy = "write" }`,
	`key_prefix "consul-ocsp/v1/wanted/" { policy = "write" }`,
	`key "consul-ocsp/v1/reload" { policy = "write" }`,
	`key "consul-ocsp/v1/node/%s" { policy = "write" }`,
}

var leaderRules = []string{
	`key_prefix "consul-ocsp/" { policy = "read" }`,
	`key_prefix "consul-ocsp/v1/" { policy = "write" }`,
	`session "%s" { policy = "write" }`,
}

var operatorRules = []string{
	`key_prefix "consul-ocsp/" { policy = "read" }`,
	`key_prefix "consul-ocsp/v1/request/" { policy = "write" }`,
}

var statusRules = []string{`key_prefix "consul-ocsp/" { policy = "read" }`}

// policy is a policy with these rules for a node; without leaves out one of
// them.
func policy(rules []string, node, without string) string {
	var kept []string
	for _, rule := range rules {
		if without == "" || rule != without {
			kept = append(kept, strings.Replace(rule, "%s", node, 1))
		}
	}
	return strings.Join(kept, "\n")
}

// No role has a rule too many: each is taken away in turn, and agent or command
// says which key it is about, and which rule it needs.
//
// One rule is no loss: Consul lets who writes a key read it, and all keys that a
// leader reads today are among those that it writes.
func TestEveryRuleIsNeeded(t *testing.T) {
	t.Parallel()
	c := newCluster(t, newAuthority(t, testca.ResponderOptions{}), consultest.WithACL())
	c.startFetcher(t, "fetcher", "")
	t.Run("beside a leader", func(t *testing.T) {
		c.addNodes(t, 1, testca.IssueOptions{}, www)
		c.served(t, www, "good")
		for i, key := range []string{"v1/head", "v1/certificate/", "v1/wanted/", "v1/reload", "v1/node/%s"} {
			t.Run(fmt.Sprint("node ", i), func(t *testing.T) {
				name := fmt.Sprint("node-without-", i)
				dir := t.TempDir()
				certs := filepath.Join(dir, "certs")
				c.authority.issue(t, certs, testca.IssueOptions{}, name+".example.test")
				t.Parallel()
				h := haproxytest.Start(t, haproxytest.Options{Certs: []string{certs}, MasterWorker: true})
				job := fmt.Sprintf(nodeJob, certs, h.MasterSocket())
				job = strings.Replace(job, "socket =", "method = \"reload\"\n    min_interval = \"1s\"\n    socket =", 1)
				text := c.without(t, name, `"deliver"`, dir, nodeRules, nodeRules[i]) + job
				agent := start(t, "agent", "-config-file="+writeJob(t, filepath.Join(dir, "node.hcl"), text))
				agent.denied(t, "consul-ocsp/"+strings.ReplaceAll(key, "%s", name), strings.ReplaceAll(nodeRules[i], "%s", name))
			})
		}
		for i, key := range []string{"v1/", "v1/certificate/", "v1/wanted/"} {
			t.Run(fmt.Sprint("sync ", i), func(t *testing.T) {
				t.Parallel()
				name, dir := fmt.Sprint("sync-without-", i), t.TempDir()
				certs := filepath.Join(dir, "certs")
				c.authority.issue(t, certs, testca.IssueOptions{}, name+".example.test")
				text := c.without(t, name, `"deliver"`, dir, nodeRules, nodeRules[i]) + fmt.Sprintf("job \"edge\" {\n  certificates {\n    paths = [%q]\n  }\n}\n", certs)
				job := "-config-file=" + writeJob(t, filepath.Join(dir, "node.hcl"), text)
				refusedFor(t, key, nodeRules[i], "sync", job)
				if i == 0 {
					refusedFor(t, key, nodeRules[i], "render", "-name=edge/"+name+".example.test", job)
				}
			})
		}
		for i, key := range []string{"v1/", "v1/request/"} {
			t.Run(fmt.Sprint("operator ", i), func(t *testing.T) {
				t.Parallel()
				c.refused(t, operatorRules, operatorRules[i], key, "fetch", "-force")
			})
		}
		t.Run("status", func(t *testing.T) {
			t.Parallel()
			c.refused(t, statusRules, statusRules[0], "v1/", "status")
		})
	})
	c.fetcher.stop(t, syscall.SIGTERM)
	for i, object := range []string{"", "v1/", "the lock"} {
		t.Run(fmt.Sprint("leader ", i), func(t *testing.T) {
			name, dir := fmt.Sprint("leader-without-", i), t.TempDir()
			text := c.without(t, name, `"fetch"`, dir, leaderRules, leaderRules[i])
			agent := start(t, "agent", "-config-file="+writeJob(t, filepath.Join(dir, "leader.hcl"), text))
			if object != "" {
				agent.denied(t, object, strings.ReplaceAll(leaderRules[i], "%s", "<the consul agent's node>"))
				agent.stop(t, syscall.SIGTERM)
				return
			}
			agent.says(t, "this agent leads")
			agent.stop(t, syscall.SIGTERM)
			if strings.Contains(agent.log.String(), "permission denied") {
				t.Errorf("it lacks a right:\n%s", agent.log)
			}
		})
	}
}

// without begins the job file of an agent whose policy lacks a rule.
func (c *cluster) without(t *testing.T, name, roles, dir string, rules []string, rule string) string {
	t.Helper()
	node := name
	if roles == `"fetch"` {
		node = c.consul.Node()
	}
	text := c.head(t, name, roles, dir)
	return strings.Replace(text, fmt.Sprintf("%q", c.consul.Token()), fmt.Sprintf("%q", c.consul.CreateToken(t, policy(rules, node, rule))), 1)
}

// refused runs a command whose policy lacks a rule: it fails, and says why.
func (c *cluster) refused(t *testing.T, rules []string, rule, key string, command ...string) {
	t.Helper()
	dir := t.TempDir()
	// A token must have some rule.
	text := c.without(t, "somebody", `"deliver"`, dir, append([]string{`key_prefix "elsewhere/" { policy = "read" }`}, rules...), rule)
	refusedFor(t, key, rule, append(command, "-config-file="+writeJob(t, filepath.Join(dir, "job.hcl"), text))...)
}

func refusedFor(t *testing.T, key, rule string, command ...string) {
	t.Helper()
	out, code := consulOCSP(t, command...)
	said := strings.ReplaceAll(out, `\"`, `"`)
	if code == exitOK || !strings.Contains(said, "permission denied") || !strings.Contains(said, key) || !strings.Contains(said, rule) {
		t.Errorf("%v ends with %d and does not name %s and %s:\n%s", command, code, key, rule, out)
	}
}

// denied waits for a line of the log, at a level that everybody sees, that
// names the key and the rule.
func (p *running) denied(t *testing.T, key, rule string) {
	t.Helper()
	eventually(t, "log", func() error {
		for line := range strings.Lines(p.log.String()) {
			line = strings.ReplaceAll(line, `\"`, `"`)
			seen := strings.Contains(line, "[WARN]") || strings.Contains(line, "[ERROR]")
			if seen && strings.Contains(line, "permission denied") && strings.Contains(line, key) && strings.Contains(line, rule) {
				return nil
			}
		}
		return fmt.Errorf("no line says that %s was denied for want of %s", key, rule)
	})
}

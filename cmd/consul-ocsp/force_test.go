package main

import (
	"fmt"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/consul-ocsp/consul-ocsp/consul/consultest"
	"github.com/consul-ocsp/consul-ocsp/plugin/testca"
)

// TestForce has an operator who may not lead have the leading agent fetch at
// once, and read what came of it, whatever that is.
func TestForce(t *testing.T) {
	t.Parallel()
	const shop, same, dead = "shop.example.test", "same.example.test", "dead.example.test"
	c := newCluster(t, newAuthority(t, testca.ResponderOptions{}), consultest.WithACL())
	c.startFetcher(t, "fetcher", "")
	c.addNodes(t, 2, testca.IssueOptions{}, www, shop)
	c.served(t, www, "good")
	c.served(t, shop, "good")
	operator, reader := c.jobOf(t, "operator", operatorRules), c.jobOf(t, "reader", statusRules)
	force := func(t *testing.T, job string, code int, words []string, args ...string) {
		t.Helper()
		out, got := consulOCSP(t, append([]string{"fetch", "-force", "-config-file=" + job}, args...)...)
		if !allIn(out, words) || got != code {
			t.Errorf("fetch -force %q ends with %d; want %d and %q:\n%s", args, got, code, words, out)
		}
	}
	asked := c.authority.requests.Load()

	t.Run("a new response", func(t *testing.T) {
		c.authority.revoke(t, www)
		force(t, operator, exitOK, []string{`asked the leading agent: the agent on node "fetcher" leads`, "edge/" + www + "  fetched  revoked until "}, "-name=edge/"+www)
		c.asked(t, asked+1)
		c.served(t, www, "revoked")
	})
	t.Run("all", func(t *testing.T) {
		force(t, operator, exitOK, []string{"edge/" + shop + "  fetched  good until ", "edge/" + www + "   fetched  revoked until "})
		c.asked(t, asked+3)
	})
	t.Run("the same response", func(t *testing.T) {
		server := httptest.NewServer(c.authority.Responder(testca.ResponderOptions{Fault: "same"}))
		t.Cleanup(server.Close)
		c.authority.issue(t, filepath.Dir(c.nodes[0].certificate(www)), testca.IssueOptions{Responders: []string{server.URL}}, same)
		statusSays(t, operator, "3 staples: 1 revoked, 2 ok")
		force(t, operator, exitOK, []string{"edge/" + same + "  unchanged  good until "}, "-name=edge/"+same)
		force(t, operator, exitOK, []string{"edge/" + same + "  unchanged  good until "}, "-name=edge/"+same, "-timeout=30s")
	})
	t.Run("some fail", func(t *testing.T) {
		c.authority.issue(t, filepath.Dir(c.nodes[0].certificate(www)), testca.IssueOptions{Responders: []string{"http://127.0.0.1:1"}}, dead)
		statusSays(t, operator, "refused")
		force(t, operator, exitSome, []string{"edge/" + dead + "  failed", "refused: responder ", "edge/" + shop + "  fetched  good until "})
		force(t, operator, exitFailed, []string{"edge/" + dead + "  failed"}, "-name=edge/"+dead)
	})
	t.Run("no such certificate", func(t *testing.T) {
		force(t, operator, exitFailed, []string{`no certificate "edge/nobody"`}, "-name=edge/nobody")
		force(t, operator, exitUsage, []string{"-dry-run can't be asked"}, "-dry-run")
	})
	t.Run("no right", func(t *testing.T) {
		force(t, reader, exitFailed, []string{"permission denied", `key_prefix "consul-ocsp/v1/request/" { policy = "write" }`})
	})
	t.Run("the leader hangs and is gone", func(t *testing.T) { c.forceWithoutLeader(t, operator, force) })
	if names, _, err := c.consul.Client().KV().Keys("consul-ocsp/v1/request/", "", nil); err != nil || len(names) != 0 {
		t.Errorf("requests are left: %v, %v", names, err)
	}
}

// forceWithoutLeader stops the leader: first it answers nobody, then its
// session is over. An operator is told; who may lead does so.
func (c *cluster) forceWithoutLeader(t *testing.T, operator string, force func(*testing.T, string, int, []string, ...string)) {
	if err := c.fetcher.cmd.Process.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.fetcher.cmd.Process.Signal(syscall.SIGCONT) })
	force(t, operator, exitFailed, []string{`asking the leading agent (the agent on node "fetcher" leads since `, "not done within 1s"}, "-timeout=1s")

	dir := t.TempDir()
	able := writeJob(t, filepath.Join(dir, "able.hcl"), c.head(t, "able", `"fetch"`, dir)+fmt.Sprintf(fetcherJob, ""))
	waits := start(t, "fetch", "-force", "-name=edge/"+www, "-config-file="+able)
	eventually(t, "a request", func() error {
		names, _, err := c.consul.Client().KV().Keys("consul-ocsp/v1/request/", "", nil)
		if err == nil && len(names) == 0 {
			err = fmt.Errorf("none")
		}
		return err
	})
	pair, _, err := c.consul.Client().KV().Get("consul-ocsp/v1/leader", nil)
	if err != nil || pair.Session == "" {
		t.Fatalf("nobody leads: %v, %v", pair, err)
	}
	if _, err := c.consul.Client().Session().Destroy(pair.Session, nil); err != nil {
		t.Fatal(err)
	}
	waits.says(t, "edge/"+www+"  fetched  revoked until ")
	<-waits.done
	if code := waits.cmd.ProcessState.ExitCode(); code != exitOK {
		t.Errorf("who may lead ends with %d:\n%s", code, waits.log)
	}
	force(t, operator, exitFailed, []string{"nobody leads who would fetch", "permission denied", "session"})
}

// jobOf is the job file of somebody with these rights.
func (c *cluster) jobOf(t *testing.T, who string, rules []string) string {
	t.Helper()
	dir := t.TempDir()
	c.tokens[who] = c.consul.CreateToken(t, policy(rules, "", ""))
	return writeJob(t, filepath.Join(dir, who+".hcl"), c.head(t, who, `"fetch"`, dir))
}

// statusSays waits until status, run with a job file, says this.
func statusSays(t *testing.T, job, text string) {
	t.Helper()
	eventually(t, "status", func() error {
		if out, _ := consulOCSP(t, "status", "-config-file="+job); !strings.Contains(out, text) {
			return fmt.Errorf("no %q in\n%s", text, out)
		}
		return nil
	})
}

func allIn(text string, words []string) bool {
	for _, word := range words {
		if !strings.Contains(text, word) {
			return false
		}
	}
	return true
}

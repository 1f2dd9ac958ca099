package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/consul-ocsp/consul-ocsp/plugin/testca"
)

// Two agents can't go by one name, and only one fetches.
func TestConflicts(t *testing.T) {
	t.Parallel()
	c := newCluster(t, newAuthority(t, testca.ResponderOptions{}))
	c.startFetcher(t, "fetcher", "").says(t, "this agent leads")
	c.addNodes(t, 1, testca.IssueOptions{}, www)
	c.served(t, www, "good")

	// What is taken is said with its holder; the data_dir tells the two apart.
	text, err := os.ReadFile(c.job)
	if err != nil {
		t.Fatal(err)
	}
	data := filepath.Join(filepath.Dir(c.job), "data")
	instance, err := os.ReadFile(filepath.Join(data, "instance"))
	if err != nil {
		t.Fatal(err)
	}
	job := writeJob(t, filepath.Join(t.TempDir(), "second.hcl"), strings.Replace(string(text), data, t.TempDir(), 1))
	out, code := consulOCSP(t, "agent", "-config-file="+job)
	if code != exitFailed || !strings.Contains(out, `node name \"fetcher\" is in use`) || !strings.Contains(out, strings.TrimSpace(string(instance))) {
		t.Errorf("a second agent with this name ends with %d; want 1, and the name and %s:\n%s", code, instance, out)
	}

	// The leader's own restart is no conflict.
	c.fetcher.stop(t, os.Interrupt)
	c.leadAgain(t)

	asked := c.authority.requests.Load()
	out, code = consulOCSP(t, "fetch", "-config-file="+c.job)
	if code != exitOK || !strings.Contains(out, `"fetcher" leads`) {
		t.Errorf("fetch beside a leading agent ends with %d; want 0, and who leads:\n%s", code, out)
	}
	c.asked(t, asked)
}

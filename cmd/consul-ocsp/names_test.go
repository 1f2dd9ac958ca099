package main

import (
	"fmt"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/consul-ocsp/consul-ocsp/plugin/staple"
	"github.com/consul-ocsp/consul-ocsp/plugin/testca"
)

// nameIs waits until v1/name/<name> holds this id.
func (c *cluster) nameIs(t *testing.T, name, id string) {
	t.Helper()
	eventually(t, "v1/name/"+name, func() error {
		pair, _, err := c.consul.Client().KV().Get("consul-ocsp/v1/name/"+name, nil)
		if err != nil {
			return err
		}
		if pair == nil || string(pair.Value) != id {
			return fmt.Errorf("it is %+v, not %s", pair, id)
		}
		return nil
	})
}

// Templates that know a configured name find the id behind it: of the leader's
// own certificates at once, of announced ones where the job file says so.
func TestNames(t *testing.T) {
	t.Parallel()
	const own, announced = "own.example.test", "www.example.test"
	c := newCluster(t, newAuthority(t, testca.ResponderOptions{}))
	certs := filepath.Join(t.TempDir(), "certs")
	mine := c.authority.issue(t, certs, testca.IssueOptions{}, own)
	dir := t.TempDir()
	head := c.head(t, "leader", `"fetch"`, dir)
	job := fmt.Sprintf("job \"mine\" {\n  certificates {\n    paths = [%q]\n  }\n}\n", certs)
	file := writeJob(t, filepath.Join(dir, "leader.hcl"), head+fmt.Sprintf(fetcherJob, "")+job)
	c.fetcher = start(t, "agent", "-config-file="+file, "-log-level=debug")
	c.nameIs(t, "mine/"+own, staple.ID(mine[0].Leaf))

	c.addNodes(t, 1, testca.IssueOptions{}, announced)
	c.served(t, announced, "good")
	if pair, _, err := c.consul.Client().KV().Get("consul-ocsp/v1/name/edge/"+announced, nil); err != nil || pair != nil {
		t.Errorf("an announced name was published unasked: %v, %v", pair, err)
	}
	head = strings.Replace(head, "announce {", "announce {\n  names = true", 1)
	writeJob(t, file, head+fmt.Sprintf(fetcherJob, "")+job)
	if err := c.fetcher.cmd.Process.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	leaf := c.authority.last.Leaf
	c.nameIs(t, "edge/"+announced, staple.ID(leaf))
}

package main

import (
	"fmt"
	"testing"

	"github.com/consul-ocsp/consul-ocsp/plugin/record"
	"github.com/consul-ocsp/consul-ocsp/plugin/staple"
	"github.com/consul-ocsp/consul-ocsp/plugin/testca"
)

// A node of hundreds does not write its record because of a mere refresh,
// however many there are: it waits for its share of the cluster's writes.
func TestRefreshesAreToldInTurn(t *testing.T) {
	t.Parallel()
	c := newCluster(t, newAuthority(t, testca.ResponderOptions{}))
	i := intruder{t, c}
	for n := range 300 {
		i.put(fmt.Sprint("node/other-", n), []byte("{}"))
	}
	c.startFetcher(t, "fetcher", "min_delay = \"1s\"\n  max_delay = \"1s\"")
	c.addNodes(t, 1, testca.IssueOptions{}, www)
	c.served(t, www, "good")
	id := staple.ID(issuedAs(t, c, []string{www})[www].Leaf)
	a, audited := audit(t, []string{id}, c.consul.Client())
	var index uint64
	// changed reports whether node-1 wrote its record since the last time.
	changed := func() bool {
		t.Helper()
		pair, _, err := c.consul.Client().KV().Get("consul-ocsp/v1/node/node-1", nil)
		if err != nil || pair == nil {
			t.Fatalf("no record: %v", err)
		}
		before := index
		index = pair.ModifyIndex
		return index != before
	}
	eventually(t, "a record without a trouble", func() error {
		if n, err := record.DecodeNode("node-1", i.get("node/node-1")); err != nil || n.Stapled != 1 || n.Troubles > 0 {
			return fmt.Errorf("it says %+v: %v", n, err)
		}
		return nil
	})
	changed()
	times := 0
	for range 12 {
		a.progress(t, 1)
		if changed() {
			times++
		}
	}
	audited()
	// What else there is to tell at a start may come now.
	if times > 1 {
		t.Errorf("its record was written %d times during 12 refreshes", times)
	}
}

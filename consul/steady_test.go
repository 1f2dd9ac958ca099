package consul

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/consul-ocsp/consul-ocsp/consul/consultest"
	"github.com/consul-ocsp/consul-ocsp/plugin/record"
)

// 300 nodes that start within half a minute where there was none, and of whose
// certificates some is refreshed at any time: once they know of each other they
// write less than twice a second between them, each is heard of in time, and what
// they say wakes no other node. Consul is a real one, its clients' clock is made
// up.
func testSteadyState(t *testing.T, s *consultest.Server) {
	const nodes, certificates = 300, 300
	const starting, watched = 4 * time.Minute, reportLongest
	id := testID(1)
	lead(t, newClient(t, s), func(ctx context.Context, term *Term) { publish(t, ctx, term, response(id, 1)) })
	c := newClient(t, s, func(c *Config) { c.Wait = time.Minute })
	flow := counted(c.base)
	other := follow(t, c, id)
	eventually(t, "a node that waits for news", func() bool { return other.has(response(id, 1)) && flow.heads.Load() > 1 })
	before, began := flow.read(), time.Now()

	said := record.Node{Version: "1.0.0", Roles: []string{"deliver"}, Certificates: certificates, Stapled: certificates}
	for i := range certificates {
		said.Applied = append(said.Applied, record.Applied{ID: testID(i), Job: "edge", Name: fmt.Sprint("www-", i), ThisUpdate: start, Status: "good"})
	}
	path := root(t)
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		refreshed := make(chan struct{})
		close(refreshed) // something always is
		var flows []*traffic
		written := func() (n int64) {
			for _, f := range flows {
				n += f.puts.Load() + f.txns.Load()
			}
			return n
		}
		client := func() *Client {
			c := newClient(t, s, func(c *Config) { c.Path = path })
			c.base.DisableKeepAlives = true // while a connection waits the clock stands still
			flows = append(flows, counted(c.base))
			return c
		}
		var all sync.WaitGroup
		for i := range nodes {
			c, name, said := client(), fmt.Sprint("web-", i), said
			said.Node, said.Instance = name, name
			all.Go(func() { // ends with ctx
				sleep(ctx, time.Duration(i)*100*time.Millisecond)
				if err := c.ClaimNode(ctx, name, name); err != nil {
					t.Error(err)
				}
				_ = c.ReportNode(ctx, func() record.Node { return said }, nil, refreshed)
			})
		}
		sleep(ctx, starting)
		synctest.Wait()
		before := written()
		sleep(ctx, watched)
		synctest.Wait()
		perSecond := float64(written()-before) / watched.Seconds()
		if perSecond >= 2 || perSecond < 1 {
			t.Errorf("%d nodes write %.2f times a second", nodes, perSecond)
		}
		seen, err := client().Snapshot(ctx)
		if err != nil || len(seen.Nodes) != nodes {
			t.Errorf("%d nodes: %v", len(seen.Nodes), err)
		}
		for name, n := range seen.Nodes {
			if age := time.Since(n.Seen); age > nodeTaken/2+30*time.Second || len(n.Applied) != certificates {
				t.Errorf("%s was seen %s ago, with %d certificates", name, age, len(n.Applied))
			}
		}
		cancel()
		all.Wait()
	})
	// A query that brings nothing ends after a minute.
	if woken := flow.since(before).heads - int64(time.Since(began)/time.Minute); woken > 0 {
		t.Errorf("a node was woken %d times", woken)
	}
}

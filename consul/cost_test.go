package consul

import (
	"context"
	"crypto/rand"
	"fmt"
	"testing"
	"time"

	"github.com/consul-ocsp/consul-ocsp/consul/consultest"
	"github.com/consul-ocsp/consul-ocsp/plugin/record"
)

// ofSize is a response of 1.5 KB that nothing compresses, as a CA's with a
// signature of its delegate is.
func ofSize(t *testing.T, id string, minute int) record.Staple {
	t.Helper()
	st := response(id, minute)
	st.DER = make([]byte, 1500)
	if _, err := rand.Read(st.DER); err != nil {
		t.Fatal(err)
	}
	st.Meta.SHA256 = record.Checksum(st.DER)
	st.Meta.Issuer, st.Meta.Responder = "CN=Example Issuing CA 3,O=Example,C=DE", "http://ocsp.example.test/issuing3"
	st.Meta.Job, st.Meta.Name = "edge", "www"
	return st
}

// What a change costs each node, to the byte; how often it is woken; and that a
// burst is read from the ring.
func testFollowCost(t *testing.T, s *consultest.Server) {
	const burst = 1000
	ids := make([]string, burst)
	for i := range ids {
		ids[i] = testID(i)
	}
	flows := map[string]*traffic{}
	start := func(name string, ids ...string) *node {
		c := newClient(t, s, func(c *Config) { c.Wait = time.Minute })
		flows[name] = counted(c.base)
		return follow(t, c, ids...)
	}
	lead(t, newClient(t, s), func(ctx context.Context, term *Term) {
		other := testID(burst)
		publish(t, ctx, term, response(other, 1))
		holder, bystander := start("holder", ids...), start("other", other)
		eventually(t, "the start", func() bool { return bystander.has(response(other, 1)) && flows["holder"].heads.Load() > 1 })
		minute := 1
		// round publishes n changes, and is what they cost once all is still.
		round := func(n int) map[string]reading {
			t.Helper()
			minute++
			var list []record.Staple
			for _, id := range ids[:n] {
				list = append(list, ofSize(t, id, minute))
			}
			before := map[string]reading{}
			for name, flow := range flows {
				before[name] = flow.read()
			}
			publish(t, ctx, term, list...)
			eventually(t, "all of them", func() bool {
				for _, st := range list {
					if !holder.has(st) {
						return false
					}
				}
				return true
			})
			cost := map[string]reading{}
			for name, flow := range flows {
				// It asks for head again once it has taken in what it was told.
				eventually(t, "the next query", func() bool {
					cost[name] = flow.since(before[name])
					return cost[name].heads > 0
				})
			}
			return cost
		}
		// The first one comes after a resync, whose end may fall into the next.
		one := map[string]int64{}
		for range 4 {
			for name, cost := range round(1) {
				if one[name] == 0 || cost.bytes < one[name] {
					one[name] = cost.bytes
				}
			}
		}
		if got := one["holder"]; got > 4096 {
			t.Errorf("a change costs a node that holds it %d bytes", got)
		}
		if got := one["other"]; got > 1024 {
			t.Errorf("a change costs a node that does not hold it %d bytes", got)
		}
		if many := round(60); many["other"].heads != 1 {
			t.Errorf("60 changes woke a node %d times", many["other"].heads)
		}
		round(burst)
		// What nodes say of themselves wakes none of the others.
		still := flows["other"].read()
		for i := range 50 {
			if err := term.c.ClaimNode(ctx, fmt.Sprintf("web-%d", i), "a"); err != nil {
				t.Fatal(err)
			}
		}
		round(1)
		if woken := flows["other"].since(still).heads; woken != 1 {
			t.Errorf("50 reports of nodes and one change woke a node %d times", woken)
		}
		for _, n := range []*node{holder, bystander} {
			if len(n.c.missed) > 0 {
				t.Error("a node missed publications in a burst")
			}
		}
	})
}

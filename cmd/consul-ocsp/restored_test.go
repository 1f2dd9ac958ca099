package main

import (
	"bytes"
	"fmt"
	"syscall"
	"testing"
	"time"

	"github.com/consul-ocsp/consul-ocsp/consul/consultest"
	"github.com/consul-ocsp/consul-ocsp/plugin/record"
	"github.com/consul-ocsp/consul-ocsp/plugin/testca"
)

// Snapshots are restored, and the whole of Consul replaced, under an agent that
// leads and one that delivers: what the leader had is published again, without a
// request and unasked; for a certificate that only a node has, when that has
// announced it again. No client ever sees an older staple, or none.
func TestRestoredSnapshots(t *testing.T) {
	t.Parallel()
	const shop = "shop.example.test"
	clock := newOneAnswer(10 * time.Minute)
	c := newCluster(t, newAuthority(t, testca.ResponderOptions{Now: clock.now}))
	unled := c.consul.Save()
	c.startFetcher(t, "fetcher", "")
	c.addNodes(t, 1, testca.IssueOptions{}, www, shop)
	c.served(t, www, "good")
	c.served(t, shop, "good")
	n, i := c.nodes[0], intruder{t, c}
	first, id := n.response(t, www), n.id(t, www)
	older, foreign := c.consul.Save(), elsewhere(t, i, id)
	clock.back.Store(0)
	writeJob(t, c.job, readText(t, c.job)+fmt.Sprintf("job \"edge\" {\n  certificates {\n    paths = [%q]\n  }\n}\n", n.certificate(www)))
	if err := c.fetcher.cmd.Process.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	c.fetcher.says(t, "configuration is reloaded")
	if out, code := consulOCSP(t, "fetch", "-force", "-config-file="+c.job); code != exitOK {
		t.Fatalf("fetch -force ends with %d:\n%s", code, out)
	}
	n.replaced(t, www, first)
	newest, asked := map[string][]byte{www: n.response(t, www), shop: raw(t, c.consul, "consul-ocsp/v1/der/"+n.id(t, shop))}, c.authority.requests.Load()
	_, shaken := shake(t, c, www, shop)
	published := func(name, what string) {
		t.Helper()
		eventually(t, "what was published before "+what, func() error {
			pair, _, err := c.consul.Client().KV().Get("consul-ocsp/v1/der/"+n.id(t, name), nil)
			if err != nil || pair == nil || !bytes.Equal(pair.Value, newest[name]) {
				return fmt.Errorf("that of %s is not published: %v", name, err)
			}
			return nil
		})
	}

	index := headIndex(t, c.consul)
	for _, fault := range []struct {
		name string
		make func()
	}{
		{"an older snapshot", func() { restore(t, c.consul, older) }},
		{"a snapshot from before the leader's session", func() { restore(t, c.consul, unled) }},
		{"a foreign snapshot", func() { restore(t, c.consul, foreign) }},
		{"another Consul", func() {
			c.consul.Wipe()
			c.consul.Restart()
		}},
	} {
		fault.make()
		published(www, fault.name)
		n.unchanged(t, www, newest[www])
	}
	if now := headIndex(t, c.consul); now >= index {
		t.Errorf("the index is %d, and was %d", now, index)
	}
	published(shop, "another Consul")
	n.unchanged(t, shop, newest[shop])
	c.asked(t, asked)
	shaken()
	c.authority.revoke(t, www)
	c.hurry(t)
	c.served(t, www, "revoked")
}

// restore also puts the server's own node back into the catalog: without it there
// is no session.
func restore(t *testing.T, s *consultest.Server, snapshot []byte) {
	t.Helper()
	s.Restore(snapshot)
	eventually(t, "registration", s.Register)
}

// elsewhere is a snapshot of a cluster that has the response that is published
// now, as of many generations later.
func elsewhere(t *testing.T, i intruder, id string) []byte {
	t.Helper()
	other := intruder{t, &cluster{consul: consultest.Start(t)}}
	meta, err := record.DecodeMeta(i.get("meta/" + id))
	if err != nil {
		t.Fatal(err)
	}
	other.put("meta/"+id, i.get("meta/"+id))
	other.put("head", record.Head{Generation: 500, Nonce: record.NewNonce(), Before: record.NewNonce()}.Encode())
	other.publish(id, i.get("der/"+id), meta.ThisUpdate)
	return other.c.consul.Save()
}

// headIndex is the index of the newest publication.
func headIndex(t *testing.T, s *consultest.Server) uint64 {
	t.Helper()
	pair, _, err := s.Client().KV().Get("consul-ocsp/v1/head", nil)
	if err != nil || pair == nil {
		t.Fatalf("v1/head: %v, %v", pair, err)
	}
	return pair.ModifyIndex
}

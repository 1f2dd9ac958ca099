package main

import (
	"syscall"
	"testing"

	"github.com/consul-ocsp/consul-ocsp/plugin/testca"
)

// From the job file to the handshake and back: two nodes, an agent that holds
// no certificate and fetches, and each of the two responders.
func TestWholeWay(t *testing.T) {
	const www, shop = "www.example.test", "shop.example.test"
	t.Run("openssl ocsp", func(t *testing.T) {
		t.Parallel()
		c := newCluster(t, newOpenSSLAuthority(t))
		c.startFetcher(t, "fetcher", "")
		c.addNodes(t, 2, testca.IssueOptions{}, www, shop)
		c.served(t, www, "good")
		c.served(t, shop, "good")
		c.asked(t, 2)
		workers := c.workers()

		// A pass of its own, as a periodic job does it, while no agent leads.
		c.authority.revoke(t, www)
		if code := c.fetcher.stop(t, syscall.SIGTERM); code != exitOK {
			t.Errorf("the fetcher ends with %d", code)
		}
		if out, code := consulOCSP(t, "fetch", "-force", "-config-file="+c.job); code != exitOK {
			t.Fatalf("fetch -force ends with %d:\n%s", code, out)
		}
		c.served(t, www, "revoked")
		c.served(t, shop, "good")
		c.asked(t, 4)
		c.sameWorkers(t, workers)
	})
	t.Run("testca serve", func(t *testing.T) {
		t.Parallel()
		c := newCluster(t, newAuthority(t, testca.ResponderOptions{}))
		c.startFetcher(t, "fetcher", "")
		c.addNodes(t, 2, testca.IssueOptions{Key: testca.RSA}, www, shop)
		c.served(t, www, "good")
		c.served(t, shop, "good")
		c.asked(t, 2)
		workers := c.workers()

		// The schedule finds the revocation; a reload of the job file speeds it up.
		c.authority.revoke(t, shop)
		c.hurry(t)
		c.served(t, shop, "revoked")
		c.served(t, www, "good")
		c.sameWorkers(t, workers)
	})
}

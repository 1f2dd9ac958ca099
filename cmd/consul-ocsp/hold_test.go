package main

import (
	"fmt"
	"strings"
	"testing"

	"github.com/consul-ocsp/consul-ocsp/plugin/testca"
)

// A certificate that its CA puts on hold is stapled as revoked on every node, and
// as good again when it is released; nothing else is delayed or reloaded. Status,
// log and monitoring say when and why, and nothing of it afterwards.
func TestCertificateHold(t *testing.T) {
	t.Parallel()
	const www, shop = "www.example.test", "shop.example.test"
	c := newCluster(t, newAuthority(t, testca.ResponderOptions{}))
	c.startFetcher(t, "fetcher", "")
	c.addNodes(t, 2, testca.IssueOptions{MustStaple: true}, www, shop)
	c.served(t, www, "good")
	c.served(t, shop, "good")
	workers := c.workers()
	c.hurry(t)

	if err := c.authority.RevokeWithReason(www, "certificateHold"); err != nil {
		t.Fatal(err)
	}
	c.served(t, www, "revoked")
	for _, n := range c.nodes {
		eventually(t, "reason in the handshake", func() error {
			out, err := sClient(n.haproxy.Address(), www)
			if !strings.Contains(out, "Revocation Reason: certificateHold") {
				return fmt.Errorf("no reason, %v", err)
			}
			return nil
		})
	}
	c.fetcher.says(t, "[ERROR] consul-ocsp.fetcher: certificate is revoked: certificate=edge/"+www)
	c.fetcher.says(t, "revocation_reason=certificateHold")
	c.monitored(t, exitUsage, "CONSUL-OCSP CRITICAL - 1 of 2 staples", "CRITICAL edge/"+www+" (", " [must-staple]: revoked at 20", ": certificateHold")
	out, _ := consulOCSP(t, "inspect", c.nodes[0].certificate(www)+".ocsp")
	for _, want := range []string{"revoked at ", "certificateHold", "verified: revoked"} {
		if !strings.Contains(out, want) {
			t.Errorf("inspect does not say %q:\n%s", want, out)
		}
	}
	if out, _ = consulOCSP(t, "status", "-json", "-config-file="+c.job); !strings.Contains(out, `"revocation_reason": "certificateHold"`) {
		t.Errorf("status -json does not give the reason:\n%s", out)
	}

	if err := c.authority.Release(www); err != nil {
		t.Fatal(err)
	}
	c.served(t, www, "good")
	c.served(t, shop, "good")
	c.fetcher.says(t, "[INFO]  consul-ocsp.fetcher: certificate is no longer revoked: certificate=edge/"+www)
	if n := strings.Count(c.fetcher.log.String(), "certificate is revoked"); n != 1 {
		t.Errorf("the log says %d times that it was revoked", n)
	}
	c.monitored(t, exitOK, "CONSUL-OCSP OK - 2 staples")
	for _, n := range c.nodes {
		eventually(t, "file", func() error {
			if out, code := consulOCSP(t, "inspect", n.certificate(www)+".ocsp"); code != exitOK || !strings.Contains(out, "verified: good") {
				return fmt.Errorf("it still says:\n%s", out)
			}
			return nil
		})
	}
	c.sameWorkers(t, workers)
}

// monitored waits until status -check ends with this code and says all of this.
func (c *cluster) monitored(t *testing.T, want int, texts ...string) {
	t.Helper()
	eventually(t, "status -check", func() error {
		out, code := consulOCSP(t, "status", "-check", "-config-file="+c.job)
		for _, text := range texts {
			if code != want || !strings.Contains(out, text) {
				return fmt.Errorf("ends with %d, want %d and %q:\n%s", code, want, text, out)
			}
		}
		return nil
	})
}

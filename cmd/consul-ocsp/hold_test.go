package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/consul-ocsp/consul-ocsp/plugin/testca"
)

// A certificate that its CA puts on hold is stapled as revoked on every node, and
// as good again when it is released; nothing else is delayed or reloaded. Status,
// log and monitoring say when and why, and nothing of it afterwards. Whoever is
// told of events hears of each once, although the leader changes in between.
func TestCertificateHold(t *testing.T) {
	t.Parallel()
	const www, shop = "www.example.test", "shop.example.test"
	c := newCluster(t, newAuthority(t, testca.ResponderOptions{}))
	told := filepath.Join(t.TempDir(), "told")
	c.more = fmt.Sprintf("on_event {\n  command = [\"/bin/sh\", \"-c\", \"echo $CONSUL_OCSP_EVENT $CONSUL_OCSP_NODE $CONSUL_OCSP_NAME >> %s\"]\n}\n", told)
	first := c.startFetcher(t, "fetcher", "")
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

	if code := c.fetcher.stop(t, syscall.SIGTERM); code != exitOK {
		t.Errorf("the fetcher ends with %d", code)
	}
	c.startFetcher(t, "fetcher-2", "min_delay = \"1s\"\n  max_delay = \"1s\"")
	c.fetcher.says(t, "certificate is still revoked")

	if err := c.authority.Release(www); err != nil {
		t.Fatal(err)
	}
	c.served(t, www, "good")
	c.served(t, shop, "good")
	c.fetcher.says(t, "[INFO]  consul-ocsp.fetcher: certificate is no longer revoked: certificate=edge/"+www)
	if n := strings.Count(first.log.String()+c.fetcher.log.String(), "certificate is revoked"); n != 1 {
		t.Errorf("the log says %d times that it was revoked", n)
	}
	eventually(t, "events", func() error {
		text, err := os.ReadFile(told)
		if want := "leader fetcher\nrevoked fetcher " + www + "\nleader fetcher-2\nrecovered fetcher-2 " + www + "\n"; string(text) != want {
			return fmt.Errorf("told:\n%s\nwant\n%s, %v", text, want, err)
		}
		return nil
	})
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

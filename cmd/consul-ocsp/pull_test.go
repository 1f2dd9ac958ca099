package main

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/consul-ocsp/consul-ocsp/plugin/testca"
)

// The agent that leads answers for a certificate that it has only heard of from a
// node, and for a revocation as soon as it has fetched it; the node answers too,
// for its own.
func TestLeaderAnswersForAllNodes(t *testing.T) {
	t.Parallel()
	const www = "www.example.test"
	c := newCluster(t, newAuthority(t, testca.ResponderOptions{}))
	var urls []string
	ask := func() string {
		address := fmt.Sprintf("127.0.0.1:%d", quietPort(t))
		urls = append(urls, "http://"+address+"/")
		return fmt.Sprintf("pull {\n  address = %q\n}\n", address)
	}
	c.more = ask()
	c.startFetcher(t, "fetcher", "")
	c.more = ask()
	c.addNodes(t, 1, testca.IssueOptions{}, www)
	c.answered(t, urls, www, "good")
	c.authority.revoke(t, www)
	c.hurry(t)
	c.answered(t, urls, www, "revoked")
}

// answered waits until openssl is told a certificate's status at each URL.
func (c *cluster) answered(t *testing.T, urls []string, name, status string) {
	t.Helper()
	ca := filepath.Join(c.authority.Dir(), "ca.pem")
	for _, url := range urls {
		eventually(t, url, func() error {
			out, err := exec.CommandContext(t.Context(), "openssl", "ocsp", "-issuer", ca, "-CAfile", ca,
				"-cert", c.nodes[0].certificate(name), "-url", url, "-no_nonce").CombinedOutput()
			if err != nil || !strings.Contains(string(out), "Response verify OK") || !strings.Contains(string(out), ": "+status+"\n") {
				return fmt.Errorf("%w: %s", err, out)
			}
			return nil
		})
	}
}

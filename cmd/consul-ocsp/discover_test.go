package main

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/consul-ocsp/consul-ocsp/plugin/haproxy/haproxytest"
	"github.com/consul-ocsp/consul-ocsp/plugin/testca"
)

// What HAProxy serves and no job names is said; with discover it is stapled, by
// an agent and by a single pass.
func TestWhatHAProxyServesIsDiscovered(t *testing.T) {
	t.Parallel()
	const www, shop = "www.example.test", "shop.example.test"
	a := newAuthority(t, testca.ResponderOptions{})
	n := newAlone(t, a, haproxytest.Options{}, www, shop)
	n.edit(t, fmt.Sprintf("paths = [%q]", filepath.Dir(n.certificate(www))), fmt.Sprintf("paths = [%q]", n.certificate(www)))
	n.start(t)
	stapled(t, n.haproxy.Address(), www, "good")
	n.agent.says(t, "unlisted")
	n.agent.says(t, n.certificate(shop)+", which no job names")
	n.unstapled(t, shop)
	n.edit(t, "socket =", "discover = true\n    socket =")
	n.hup(t)
	stapled(t, n.haproxy.Address(), shop, "good")

	if code := n.agent.stop(t, os.Interrupt); code != exitOK {
		t.Errorf("the agent ends with %d", code)
	}
	n.removeResponses(t)
	n.haproxy.Restart()
	n.unstapled(t, shop)
	if out, code := consulOCSP(t, "sync", "-config-file="+n.job); code != exitOK {
		t.Fatalf("sync ends with %d:\n%s", code, out)
	}
	stapled(t, n.haproxy.Address(), shop, "good")
}

// A certificate that was renewed behind HAProxy's back is no longer what it
// serves.
func TestWhatHAProxyLoadedBeforeIsSaid(t *testing.T) {
	t.Parallel()
	const www = "www.example.test"
	a := newAuthority(t, testca.ResponderOptions{})
	n := newAlone(t, a, haproxytest.Options{}, www)
	a.issue(t, filepath.Join(n.dir, "certs"), testca.IssueOptions{}, www)
	n.start(t)
	n.agent.says(t, "other-bytes")
}

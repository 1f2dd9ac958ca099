package main

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/consul-ocsp/consul-ocsp/consul/consultest"
	"github.com/consul-ocsp/consul-ocsp/plugin/haproxy/haproxytest"
	"github.com/consul-ocsp/consul-ocsp/plugin/testca"
)

// What HAProxy serves and no job names is said; with discover it is stapled, by
// an agent and by a single pass.
func TestWhatHAProxyServesIsDiscovered(t *testing.T) {
	t.Parallel()
	for name, binary := range map[string]string{"system": "", "3.0": consultest.Binary(t, "haproxy-3.0")} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			discovers(t, binary)
		})
	}
}

func discovers(t *testing.T, binary string) {
	const www, shop = "www.example.test", "shop.example.test"
	a := newAuthority(t, testca.ResponderOptions{})
	n := newAlone(t, a, haproxytest.Options{Binary: binary}, www, shop)
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

// A certificate that HAProxy knows by an alias alone is said too. With HAProxy's
// configuration in the job it is found, and stapled under that name.
func TestWhatHAProxyServesUnderAnAlias(t *testing.T) {
	t.Parallel()
	const www, shop = "www.example.test", "shop.example.test"
	a := newAuthority(t, testca.ResponderOptions{})
	named := a.issue(t, t.TempDir(), testca.IssueOptions{}, shop)[0]
	n := newAlone(t, a, haproxytest.Options{
		Binary:      consultest.Binary(t, "haproxy-3.0"),
		ExtraGlobal: fmt.Sprintf("crt-store web\n\tload crt %s alias named\n", named.Path),
		ExtraBind:   "crt @web/named",
	}, www)
	n.start(t)
	stapled(t, n.haproxy.Address(), www, "good")
	n.agent.says(t, "HAProxy serves @web/named, which no job names")
	n.unstapled(t, shop)
	n.edit(t, "deliver \"haproxy\"", fmt.Sprintf("haproxy_config {\n    path = %q\n  }\n  deliver \"haproxy\"", n.haproxy.ConfigFile()))
	n.hup(t)
	n.shows(t, shop, named)
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

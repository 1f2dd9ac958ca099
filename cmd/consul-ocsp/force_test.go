package main

import (
	"fmt"
	"strings"
	"testing"

	"github.com/consul-ocsp/consul-ocsp/consul/consultest"
	"github.com/consul-ocsp/consul-ocsp/plugin/testca"
)

// operatorRules are the ACL rules of who may ask for a fetch.
const operatorRules = `key_prefix "consul-ocsp/" {
  policy = "read"
}
key_prefix "consul-ocsp/v1/request/" {
  policy = "write"
}`

// An operator who may not lead has the leading agent fetch at once, and reads
// what came of it.
func TestForceBesideALeader(t *testing.T) {
	t.Parallel()
	const shop = "shop.example.test"
	c := newCluster(t, newAuthority(t, testca.ResponderOptions{}), consultest.WithACL())
	c.startFetcher(t, "fetcher", "")
	c.addNodes(t, 2, testca.IssueOptions{}, www, shop)
	c.served(t, www, "good")
	c.served(t, shop, "good")
	asked := c.authority.requests.Load()
	job := c.operatorJob(t)

	c.authority.revoke(t, www)
	out, code := consulOCSP(t, "fetch", "-force", "-name=edge/"+www, "-config-file="+job)
	if code != exitOK || !strings.Contains(out, "asked the leading agent") || !strings.Contains(out, "edge/"+www+"  fetched  revoked until ") || strings.Contains(out, shop) {
		t.Errorf("fetch -force -name ends with %d; want 0 and the revocation:\n%s", code, out)
	}
	c.asked(t, asked+1)
	c.served(t, www, "revoked")
	if out, code = consulOCSP(t, "fetch", "-force", "-config-file="+job); code != exitOK || !strings.Contains(out, "edge/"+shop+"  fetched  good until ") {
		t.Errorf("fetch -force ends with %d; want 0 and both:\n%s", code, out)
	}
	c.asked(t, asked+3)
	if out, code = consulOCSP(t, "fetch", "-force", "-name=edge/nobody", "-config-file="+job); code != exitFailed || !strings.Contains(out, `no certificate "edge/nobody"`) {
		t.Errorf("an unknown name ends with %d:\n%s", code, out)
	}
	c.authority.stop()
	if out, code = consulOCSP(t, "fetch", "-force", "-config-file="+job); code != exitFailed || !strings.Contains(out, "refused") {
		t.Errorf("without a responder it ends with %d:\n%s", code, out)
	}
	if names, _, err := c.consul.Client().KV().Keys("consul-ocsp/v1/request/", "", nil); err != nil || len(names) != 0 {
		t.Errorf("requests are left: %v, %v", names, err)
	}
}

// operatorJob is the job file of somebody with the operator's rights.
func (c *cluster) operatorJob(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	text := c.head(t, "operator", `"fetch"`, dir)
	text = strings.Replace(text, fmt.Sprintf("%q", c.consul.Token()), fmt.Sprintf("%q", c.consul.CreateToken(t, operatorRules)), 1)
	return writeJob(t, dir+"/operator.hcl", text)
}

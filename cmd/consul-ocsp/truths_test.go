package main

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/consul-ocsp/consul-ocsp/plugin/haproxy/haproxytest"
	"github.com/consul-ocsp/consul-ocsp/plugin/status"
	"github.com/consul-ocsp/consul-ocsp/plugin/testca"
)

// A file, a HAProxy and a client that have the same, then a file that is ahead
// of HAProxy, a file that is no response, and a HAProxy that is gone: each place
// is told apart.
func TestThreeTruths(t *testing.T) {
	t.Parallel()
	const www = "www.example.test"
	a := newAuthority(t, testca.ResponderOptions{})
	n := newAlone(t, a, haproxytest.Options{}, www)
	n.edit(t, "job ", httpBlock(n.dir, "")+"job ")
	n.edit(t, "  deliver", fmt.Sprintf("  connect = %q\n  deliver", n.haproxy.Address()))
	n.start(t)
	stapled(t, n.haproxy.Address(), www, "good")
	client, id := overSocket(n.dir, nil), n.id(t, www)
	answers(t, client, "/v1/truths/"+id, 200, `"agree": true`, `"place": "file"`, `"place": "haproxy"`, `"place": "client"`)
	answers(t, client, "/v1/truths/"+strings.Repeat("0", 64), 404, "has no file with this certificate")
	answers(t, client, "/v1/staples/"+id, 200, `"asked_next": "`, `"name": "haproxy"`)
	answers(t, client, "/v1/responders", 200, `"fetches": true`, `"failed": 0`, `"last_success": "`)
	if code := n.agent.stop(t, os.Interrupt); code != exitOK {
		t.Fatalf("the agent ends with %d", code)
	}
	n.says(t, exitOK, "good", "good", "good")

	a.revoke(t, www)
	if out, code := consulOCSP(t, "fetch", "-cert="+n.certificate(www), "-out="+n.file(www)); code != exitOK {
		t.Fatalf("fetch ends with %d:\n%s", code, out)
	}
	n.says(t, exitFailed, "revoked", "good", "good")
	out, code := consulOCSP(t, "verify", "-config-file="+n.job, "-servername="+www, n.haproxy.Address())
	if code != exitOK || !strings.Contains(out, "stapled and verified: good") || !lineHas(out, "file here", "revoked, of ") || !lineHas(out, "haproxy here", "good, of ") {
		t.Errorf("verify ends with %d:\n%s", code, out)
	}

	if err := os.WriteFile(n.file(www), []byte("no response"), 0o600); err != nil {
		t.Fatal(err)
	}
	n.says(t, exitFailed, "refused", "good", "good")
	if err := os.Remove(n.file(www)); err != nil {
		t.Fatal(err)
	}
	n.haproxy.Stop()
	n.says(t, exitFailed, "none", "error", "error")
}

// says checks what status -here says of the node's only certificate.
func (n *node) says(t *testing.T, code int, file, haproxy, client string) {
	t.Helper()
	out, got := consulOCSP(t, "status", "-here", "-json", "-config-file="+n.job)
	var list []status.Truths
	if err := json.Unmarshal([]byte(out), &list); err != nil || len(list) != 1 || len(list[0].Truths) != 3 {
		t.Fatalf("status -here ends with %d, %v:\n%s", got, err, out)
	}
	for i, want := range []string{file, haproxy, client} {
		if one := list[0].Truths[i]; one.Says != want {
			t.Errorf("%s says %s (%s); want %s", one.Place, one.Says, one.Error, want)
		}
	}
	text, textCode := consulOCSP(t, "status", "-here", "-connect="+n.haproxy.Address(), "-config-file="+n.job)
	if got != code || textCode != code || strings.Contains(text, "they differ") != (file != haproxy || haproxy != client) {
		t.Errorf("status -here ends with %d and %d; want %d:\n%s", got, textCode, code, text)
	}
}

// lineHas reports whether one line has both texts.
func lineHas(out, a, b string) bool {
	for l := range strings.Lines(out) {
		if strings.Contains(l, a) && strings.Contains(l, b) {
			return true
		}
	}
	return false
}

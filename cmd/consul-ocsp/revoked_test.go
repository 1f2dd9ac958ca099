package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"testing"

	"github.com/consul-ocsp/consul-ocsp/plugin/haproxy/haproxytest"
	"github.com/consul-ocsp/consul-ocsp/plugin/testca"
)

// What clients are shown of a revoked certificate is the operator's to choose.
func TestOnRevoked(t *testing.T) {
	const www, shop = "www.example.test", "shop.example.test"
	revoke := func(t *testing.T, choice string) *node {
		t.Parallel()
		a := newAuthority(t, testca.ResponderOptions{})
		n := newAlone(t, a, haproxytest.Options{MasterWorker: true}, www, shop)
		n.edit(t, "socket = \""+n.haproxy.Socket()+"\"", "socket = \""+n.haproxy.MasterSocket()+"\"\n    on_revoked = \""+choice+"\"")
		n.start(t)
		stapled(t, n.haproxy.Address(), www, "good")
		stapled(t, n.haproxy.Address(), shop, "good")
		a.revoke(t, www)
		if out, code := consulOCSP(t, "fetch", "-force", "-config-file="+n.job); code != exitOK {
			t.Fatalf("fetch ends with %d:\n%s", code, out)
		}
		return n
	}
	t.Run("keep", func(t *testing.T) {
		n := revoke(t, "keep")
		pid := n.haproxy.PID()
		n.agent.says(t, "revoked-kept")
		stapled(t, n.haproxy.Address(), www, "good")
		if n.haproxy.PID() != pid {
			t.Error("HAProxy was reloaded")
		}
		if out, _ := consulOCSP(t, "status", "-config-file="+n.job); !strings.Contains(out, "revoked") {
			t.Errorf("status does not say it:\n%s", out)
		}
	})
	t.Run("remove", func(t *testing.T) {
		n := revoke(t, "remove")
		eventually(t, "handshake without a staple", func() error {
			out, err := sClient(n.haproxy.Address(), www)
			if !strings.Contains(out, "OCSP response: no response sent") {
				return fmt.Errorf("something is stapled, or no connection: %v", err)
			}
			return nil
		})
		if _, err := os.Stat(n.file(www)); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("the file is still there: %v", err)
		}
		stapled(t, n.haproxy.Address(), shop, "good")
	})
}

package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/consul-ocsp/consul-ocsp/plugin/haproxy/haproxytest"
	"github.com/consul-ocsp/consul-ocsp/plugin/testca"
)

// A running agent takes on a changed job file: a further certificate is fetched
// and stapled, a further target is told of what there is.
func TestReload(t *testing.T) {
	t.Parallel()
	const shop = "shop.example.test"
	a := newAuthority(t, testca.ResponderOptions{})
	n := newAlone(t, a, haproxytest.Options{}, www, shop)
	certs := filepath.Join(n.dir, "certs")
	n.edit(t, fmt.Sprintf("[%q]", certs), fmt.Sprintf("[%q]", n.certificate(www)))
	n.start(t)
	stapled(t, n.haproxy.Address(), www, "good")
	n.unstapled(t, shop)

	n.edit(t, fmt.Sprintf("[%q]", n.certificate(www)), fmt.Sprintf("[%q]", certs))
	n.hup(t)
	stapled(t, n.haproxy.Address(), shop, "good")

	told := filepath.Join(n.dir, "told")
	n.edit(t, `deliver "haproxy"`, fmt.Sprintf("deliver \"exec\" {\n    command = [\"sh\", \"-c\", \"cat >'%s/'$CONSUL_OCSP_NAME\"]\n  }\n  deliver \"haproxy\"", told))
	if err := os.Mkdir(told, 0o700); err != nil {
		t.Fatal(err)
	}
	n.hup(t)
	for _, name := range []string{www, shop} {
		eventually(t, "the command for "+name, func() error {
			got, err := os.ReadFile(filepath.Join(told, name))
			if err == nil && !bytes.Equal(got, n.response(t, name)) {
				err = errors.New("it was given something else than the response")
			}
			return err
		})
		n.unchanged(t, name, n.response(t, name))
	}
	if got := a.requests.Load(); got != 2 {
		t.Errorf("the responder was asked %d times; want once per certificate", got)
	}
}

// A job file with a mistake is refused with its place, and the agent goes on as
// it was, until the mistake is mended.
func TestReloadRefused(t *testing.T) {
	t.Parallel()
	const shop = "shop.example.test"
	a := newAuthority(t, testca.ResponderOptions{})
	n := newAlone(t, a, haproxytest.Options{}, www)
	n.start(t)
	stapled(t, n.haproxy.Address(), www, "good")

	n.edit(t, "lock_dir", "no_such_thing = 1\nlock_dir")
	n.hup(t)
	n.agent.says(t, "configuration is refused, the old one goes on")
	n.agent.says(t, filepath.Base(n.job)+":2")
	a.issue(t, filepath.Join(n.dir, "certs"), testca.IssueOptions{}, shop)
	eventually(t, "the new certificate, by the old job file", func() error { _, err := os.Stat(n.file(shop)); return err })

	n.edit(t, "no_such_thing = 1\n", "")
	n.hup(t)
	n.agent.says(t, "configuration is reloaded")
	if code := n.agent.stop(t, syscall.SIGTERM); code != exitOK {
		t.Errorf("the agent ends with %d", code)
	}
}

// An agent that is stopped gives the lock back, and one that stands by leads.
func TestStopLeader(t *testing.T) {
	t.Parallel()
	c := newCluster(t, newAuthority(t, testca.ResponderOptions{}))
	first := c.startFetcher(t, "first", "")
	first.says(t, "this agent leads")
	c.addNodes(t, 1, testca.IssueOptions{}, www)
	c.served(t, www, "good")
	i := intruder{t, c}
	if got := i.session("leader"); got == "" {
		t.Fatal("an agent leads, and v1/leader has no session")
	}

	// Nobody stands by.
	if code := first.stop(t, syscall.SIGTERM); code != exitOK {
		t.Errorf("the agent ends with %d", code)
	}
	if got := i.session("leader"); got != "" {
		t.Errorf("the agent has ended, and v1/leader has the session %s", got)
	}

	second := c.startFetcher(t, "second", "")
	second.says(t, "this agent leads")
	third := c.startFetcher(t, "third", "")
	eventually(t, "third stands by", func() error {
		if i.get("node/third") == nil {
			return errors.New("it is not there yet")
		}
		return nil
	})
	if strings.Contains(third.log.String(), "this agent leads") {
		t.Fatal("two agents lead")
	}
	head := i.get("head")
	if code := second.stop(t, syscall.SIGINT); code != exitOK {
		t.Errorf("the agent ends with %d", code)
	}
	third.says(t, "this agent leads")
	eventually(t, "a publication of the next leader", func() error {
		if bytes.Equal(i.get("head"), head) {
			return errors.New("head is as it was")
		}
		return nil
	})
	c.authority.revoke(t, www)
	c.hurry(t)
	c.served(t, www, "revoked")
}

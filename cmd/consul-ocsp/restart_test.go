package main

import (
	"os"
	"strings"
	"testing"

	"github.com/consul-ocsp/consul-ocsp/plugin/haproxy/haproxytest"
	"github.com/consul-ocsp/consul-ocsp/plugin/testca"
)

const www = "www.example.test"

// An agent that was killed has in data_dir what its HAProxy needs, whether
// Consul or a responder are there or not.
func TestAgentKilled(t *testing.T) {
	t.Parallel()
	t.Run("in a cluster", func(t *testing.T) {
		t.Parallel()
		c := newCluster(t, newAuthority(t, testca.ResponderOptions{}))
		c.startFetcher(t, "fetcher", "")
		c.addNodes(t, 1, testca.IssueOptions{}, www)
		c.served(t, www, "good")
		c.fetcher.kill()
		c.consul.Stop()
		killed(t, c.nodes[0], c.authority)
	})
	t.Run("alone", func(t *testing.T) {
		t.Parallel()
		a := newAuthority(t, testca.ResponderOptions{})
		n := newAlone(t, a, haproxytest.Options{}, www)
		n.start(t)
		stapled(t, n.haproxy.Address(), www, "good")
		killed(t, n, a)
	})
}

// killed kills the agent, takes the staple from file and HAProxy, and has a new
// agent bring it back.
func killed(t *testing.T, n *node, a *authority) {
	t.Helper()
	before, asked := n.response(t, www), a.requests.Load()
	n.agent.kill()
	n.removeResponses(t)
	n.haproxy.Restart()
	n.unstapled(t, www)
	n.start(t)
	stapled(t, n.haproxy.Address(), www, "good")
	n.unchanged(t, www, before)
	if got := a.requests.Load(); got != asked {
		t.Errorf("the responder was asked %d times after the restart", got-asked)
	}
}

// A HAProxy that starts while no agent runs staples at once what the file has.
func TestHAProxyStartsFromFile(t *testing.T) {
	t.Parallel()
	n := newAlone(t, newAuthority(t, testca.ResponderOptions{}), haproxytest.Options{}, www)
	n.start(t)
	stapled(t, n.haproxy.Address(), www, "good")
	before := n.response(t, www)
	if code := n.agent.stop(t, os.Interrupt); code != exitOK {
		t.Errorf("the agent ends with %d", code)
	}
	n.haproxy.Restart()
	n.unchanged(t, www, before)
}

// What somebody else's restart or reload of HAProxy loses is pushed again.
func TestHAProxyLosesStaples(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name    string
		options haproxytest.Options
		again   func(*haproxytest.Process)
		files   bool
	}{
		{"restart", haproxytest.Options{}, (*haproxytest.Process).Restart, false},
		{"restart without the file", haproxytest.Options{}, (*haproxytest.Process).Restart, true},
		{"reload", haproxytest.Options{MasterWorker: true}, (*haproxytest.Process).Reload, false},
		{"reload without the file", haproxytest.Options{MasterWorker: true}, (*haproxytest.Process).Reload, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			n := newAlone(t, newAuthority(t, testca.ResponderOptions{}), test.options, www)
			if !test.files {
				n.edit(t, `job "edge" {`, "job \"edge\" {\n  write_files = false")
			}
			n.start(t)
			stapled(t, n.haproxy.Address(), www, "good")
			before := n.staple(t, www)
			if test.files {
				n.removeResponses(t)
			} else if _, err := os.Stat(n.file(www)); !os.IsNotExist(err) {
				t.Errorf("write_files = false, and there is a file: %v", err)
			}
			test.again(n.haproxy)
			stapled(t, n.haproxy.Address(), www, "good")
			if test.files {
				// For the next start, at which no agent may run.
				eventually(t, "file", func() error { _, err := os.Stat(n.file(www)); return err })
				n.unchanged(t, www, before)
			}
		})
	}
}

// A certificate that HAProxy has loaded without any response is stapled by the
// process that has loaded it.
func TestLoadedWithoutResponse(t *testing.T) {
	t.Parallel()
	n := newAlone(t, newAuthority(t, testca.ResponderOptions{}), haproxytest.Options{MasterWorker: true}, www)
	if answer, err := n.haproxy.Command("show ssl ocsp-response"); err != nil || strings.Contains(answer, "Serial Number") {
		t.Fatalf("HAProxy holds a response already: %v\n%s", err, answer)
	}
	n.unstapled(t, www)
	master, worker := n.haproxy.MasterPID(), n.haproxy.PID()
	n.start(t)
	stapled(t, n.haproxy.Address(), www, "good")
	n.unchanged(t, www, n.response(t, www))
	if n.haproxy.MasterPID() != master || n.haproxy.PID() != worker {
		t.Errorf("HAProxy's worker is %d, was %d", n.haproxy.PID(), worker)
	}
}

package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/consul-ocsp/consul-ocsp/consul/consultest"
	"github.com/consul-ocsp/consul-ocsp/plugin/event"
	"github.com/consul-ocsp/consul-ocsp/plugin/staple"
	"github.com/consul-ocsp/consul-ocsp/plugin/status"
	"github.com/consul-ocsp/consul-ocsp/plugin/testca"
)

const bird = "bird.example.test"

// aviary is a cluster whose canary is bird.
type aviary struct {
	*cluster
	dir string // commands, what they did, events
}

// newAviary starts two nodes that look after the canary, and a fetching agent that
// does not know of it yet.
func newAviary(t *testing.T, o ...consultest.Option) *aviary {
	t.Helper()
	a := &aviary{cluster: newCluster(t, newAuthority(t, testca.ResponderOptions{}), o...), dir: t.TempDir()}
	if len(o) > 0 {
		a.tokens["fetcher"] = a.consul.CreateToken(t, policy(leaderRules, a.consul.Node(), ""))
		for _, name := range []string{"node-1", "node-2"} {
			a.tokens[name] = a.consul.CreateToken(t, policy(nodeRules, name, ""))
		}
	}
	a.announce = "names = true" // the fetching agent has no certificate
	events := a.script(t, "event", `cat >> "$1/events"`)
	a.more = fmt.Sprintf("on_event {\n  command = [%q, %q]\n}\n", events, a.dir)
	a.startFetcher(t, "fetcher", "min_delay = \"1s\"\n  max_delay = \"1s\"")
	a.inJob = a.inNode
	a.addNodes(t, 2, testca.IssueOptions{}, www, bird)
	a.served(t, bird, "good")
	a.looked(t, 2)
	return a
}

// inNode is what a node's job has for the canary.
func (a *aviary) inNode(n *node) string {
	return fmt.Sprintf("  connect = %q\n", n.haproxy.Address()) + canaryBlock("true", "false", "")
}

// looked waits until so many nodes say that they look after the canary.
func (a *aviary) looked(t *testing.T, nodes int) {
	t.Helper()
	eventually(t, "nodes with a canary", func() error {
		pairs, _, err := a.consul.Client().KV().List("consul-ocsp/v1/node/", nil)
		n := 0
		for _, p := range pairs {
			if strings.Contains(string(p.Value), `"canaries":[`) {
				n++
			}
		}
		if err == nil && n != nodes {
			err = fmt.Errorf("%d", n)
		}
		return err
	})
}

// script writes a command of sh.
func (a *aviary) script(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(a.dir, name)
	if err := os.WriteFile(path, []byte("#!/bin/sh -e\n"+text+"\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	return path
}

func canaryBlock(revoke, renew, more string) string {
	return fmt.Sprintf("  canary {\n    certificate = %q\n    revoke = [%q]\n    renew = [%q]\n    %s\n  }\n", bird, revoke, renew, more)
}

// begin has the fetching agent lead rounds, with these scripts of sh. They are
// noted, with what they are told.
func (a *aviary) begin(t *testing.T, revoke, renew, more string) {
	t.Helper()
	const note = `echo "$0 $CONSUL_OCSP_JOB $CONSUL_OCSP_NAME $CONSUL_OCSP_ID ${CONSUL_HTTP_TOKEN-no token}" >> "${0%/*}/done"` + "\n"
	revoke, renew = a.script(t, "revoke", note+revoke), a.script(t, "renew", note+renew)
	text := readText(t, a.job) + "job \"edge\" {\n" + canaryBlock(revoke, renew, more) + "}\n"
	writeJob(t, a.job, text)
	if err := a.fetcher.cmd.Process.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	a.fetcher.says(t, "configuration is reloaded")
}

// hold and release are commands that revoke the canary and take that back.
func (a *aviary) hold() string {
	return fmt.Sprintf("consul-ocsp testca revoke -reason=certificateHold %s %s", a.authority.Dir(), bird)
}

func (a *aviary) release() string {
	return fmt.Sprintf("consul-ocsp testca release %s %s", a.authority.Dir(), bird)
}

// ran is how often a command was.
func (a *aviary) ran(name string) int {
	b, _ := os.ReadFile(filepath.Join(a.dir, "done"))
	return strings.Count(string(b), "/"+name+" edge "+bird+" ")
}

// events are those that were told, of this kind.
func (a *aviary) events(t *testing.T, kind string) []event.Event {
	t.Helper()
	b, _ := os.ReadFile(filepath.Join(a.dir, "events"))
	var list []event.Event
	for line := range strings.Lines(string(b)) {
		var e event.Event
		if err := json.Unmarshal([]byte(line), &e); err == nil && e.Event == kind {
			list = append(list, e)
		}
	}
	return list
}

// canary waits until the status shows it as is wants.
func (a *aviary) canary(t *testing.T, is func(c status.Canary) error) status.Canary {
	t.Helper()
	var found status.Canary
	eventually(t, "canary", func() error {
		out, code := consulOCSP(t, "status", "-json", "-config-file="+a.job)
		var r status.Report
		if err := json.Unmarshal([]byte(out), &r); err != nil || code != 0 || len(r.Canaries) != 1 {
			return fmt.Errorf("%d canaries, %w: %s", len(r.Canaries), err, out)
		}
		found = r.Canaries[0]
		if err := is(found); err != nil {
			return fmt.Errorf("%w: %+v", err, found)
		}
		return nil
	})
	return found
}

// calm checks that nothing alarms for the canary.
func (a *aviary) calm(t *testing.T) {
	t.Helper()
	if out, code := consulOCSP(t, "status", "-check", "-config-file="+a.job); code == 2 || strings.Contains(out, "revoked at") {
		t.Errorf("status -check: %d, %s", code, out)
	}
	if list := a.events(t, event.Revoked); len(list) > 0 {
		t.Errorf("told: %+v", list)
	}
	if strings.Contains(a.fetcher.log.String(), "[ERROR]") {
		t.Error("the fetcher logs an error")
	}
}

// all reports whether each node was measured.
func all(c status.Canary) error {
	if c.State != status.OK || c.Phase != "" || len(c.Nodes) != 2 || c.PublishedSeconds == nil {
		return errors.New("not measured")
	}
	for _, n := range c.Nodes {
		if n.AppliedSeconds == nil || n.SeenSeconds == nil || n.GoodSeconds == nil || n.Error != "" {
			return fmt.Errorf("%s is not measured", n.Node)
		}
		if *n.SeenSeconds < *n.AppliedSeconds || *n.AppliedSeconds < *c.PublishedSeconds {
			return fmt.Errorf("%s: %v, %v", n.Node, *n.AppliedSeconds, *n.SeenSeconds)
		}
	}
	return nil
}

// A round: the canary is revoked, both nodes' clients see it, it is replaced by a
// new certificate, and they see that. Nobody is alarmed, then or afterwards.
func TestCanaryIsMeasured(t *testing.T) {
	t.Parallel()
	a := newAviary(t, consultest.WithACL()) // nobody has more rights than without a canary
	old := staple.ID(issuedAs(t, a.cluster, []string{bird})[bird].Leaf)
	install := ""
	for _, n := range a.nodes {
		install += fmt.Sprintf("cp $file %[1]s.new && mv %[1]s.new %[1]s\n"+
			"{ printf 'set ssl cert %[1]s <<\\n'; cat %[1]s; echo; } | socat - UNIX:%[2]s >&2\n"+
			"echo 'commit ssl cert %[1]s' | socat - UNIX:%[2]s >&2\n", n.certificate(bird), n.haproxy.Socket())
	}
	a.begin(t, fmt.Sprintf("consul-ocsp testca revoke %s %s", a.authority.Dir(), bird),
		fmt.Sprintf("file=$(consul-ocsp testca issue -responder=%s %s %s)\n", a.authority.url, a.authority.Dir(), bird)+install,
		"every = \"10m\"\n    within = \"1m\"")
	a.canary(t, func(c status.Canary) error {
		if c.Phase == "" && c.State == status.Missing {
			return errors.New("no round yet")
		}
		return nil
	})
	c := a.canary(t, all)
	t.Logf("published after %.2fs; %s: applied %.2fs, seen %.2fs, good %.2fs", *c.PublishedSeconds,
		c.Nodes[0].Node, *c.Nodes[0].AppliedSeconds, *c.Nodes[0].SeenSeconds, *c.Nodes[0].GoodSeconds)
	a.served(t, bird, "good")
	if a.ran("revoke") != 1 || a.ran("renew") != 1 {
		t.Errorf("revoke ran %d times, renew %d times", a.ran("revoke"), a.ran("renew"))
	}
	if done := readText(t, filepath.Join(a.dir, "done")); !strings.Contains(done, bird+" "+old+" no token") {
		t.Errorf("the commands are told: %s", done)
	}
	a.calm(t)
	if out, code := consulOCSP(t, "status", "-config-file="+a.job); code != 0 || !strings.Contains(out, "edge/"+bird) || !strings.Contains(out, "1 canary, ") {
		t.Errorf("status: %d\n%s", code, out)
	}
	// The next leader neither revokes again nor alarms for the one that was replaced.
	a.fetcher.stop(t, os.Interrupt)
	a.leadAgain(t)
	a.canary(t, all)
	if a.calm(t); a.ran("revoke") != 1 {
		t.Error("it was revoked again")
	}
}

// The leader is killed while the canary is revoked: the next one renews it, and
// the round has the figures of both.
func TestCanarySurvivesItsLeader(t *testing.T) {
	t.Parallel()
	a := newAviary(t)
	a.fetcher.stop(t, os.Interrupt)
	slow := strings.ReplaceAll(readText(t, a.job), `"1s"`, `"5m"`) // nothing is published meanwhile
	slow = strings.ReplaceAll(slow, "lock_delay  = \"5m\"", "lock_delay  = \"1s\"")
	quick := readText(t, a.job)
	writeJob(t, a.job, slow)
	a.leadAgain(t)
	a.begin(t, a.hold(), a.release(), "every = \"10m\"\n    within = \"4m\"")
	a.canary(t, func(c status.Canary) error {
		if c.Phase != "revoked" {
			return errors.New("not revoked yet")
		}
		return nil
	})
	a.fetcher.kill()
	block := readText(t, a.job)
	writeJob(t, a.job, quick+block[strings.Index(block, "job \"edge\""):])
	a.leadAgain(t)
	a.canary(t, all)
	if a.ran("revoke") != 1 || a.ran("renew") != 1 {
		t.Errorf("revoke ran %d times, renew %d times", a.ran("revoke"), a.ran("renew"))
	}
	a.calm(t)
}

// A node whose HAProxy is stopped is named, and so is a command that fails; what
// goes on to be revoked when the round is over alarms as any other certificate.
func TestCanaryFails(t *testing.T) {
	t.Parallel()
	a := newAviary(t)
	a.nodes[1].haproxy.Stop()
	a.begin(t, a.hold(), `echo "the CA is away" >&2; exit 3`, "every = \"10m\"\n    within = \"10s\"")
	a.canary(t, func(c status.Canary) error {
		if len(c.Nodes) != 2 || c.Nodes[0].SeenSeconds == nil {
			return errors.New("node-1 has not seen it")
		}
		return nil
	})
	a.calm(t)
	var named []event.Event
	eventually(t, "events", func() error {
		if named = a.events(t, event.Canary); len(named) < 2 {
			return fmt.Errorf("%+v", named)
		}
		return nil
	})
	if e := named[0]; e.Reason != "canary-unseen" || !strings.Contains(e.Error, "node-2: ") || strings.Contains(e.Error, "node-1") {
		t.Errorf("%+v", e)
	}
	if e := named[1]; e.Reason != "canary-renew" || !strings.Contains(e.Error, "the CA is away") {
		t.Errorf("%+v", e)
	}
	a.fetcher.says(t, "[ERROR] consul-ocsp.canary: canary failed")
	eventually(t, "the alarm", func() error {
		if list := a.events(t, event.Revoked); len(list) != 1 || list[0].Name != bird {
			return fmt.Errorf("%+v", list)
		}
		return nil
	})
	eventually(t, "status -check", func() error {
		out, code := consulOCSP(t, "status", "-check", "-config-file="+a.job)
		for _, text := range []string{"edge/" + bird + " (" + bird + "): revoked at", "canary edge/" + bird + ": canary-unseen"} {
			if code != 2 || !strings.Contains(out, text) {
				return fmt.Errorf("%d, %s", code, out)
			}
		}
		return nil
	})
	// Once the CA is back it is renewed; the node is still not there.
	a.script(t, "renew", a.release())
	a.nodes[1].haproxy.Restart()
	a.canary(t, func(c status.Canary) error {
		if c.Phase != "" || c.State != status.Failing || !slices.ContainsFunc(c.Failures, func(f status.CanaryFailure) bool { return f.Reason == "canary-renew" }) {
			return errors.New("the round goes on")
		}
		return nil
	})
	a.served(t, bird, "good")
	if a.ran("revoke") != 1 {
		t.Errorf("revoke ran %d times", a.ran("revoke"))
	}
}

// A node in another datacenter is measured too, and nothing there alarms; a
// datacenter that can't be reached holds up nothing.
func TestCanaryInDatacenters(t *testing.T) {
	t.Parallel()
	servers := consultest.StartDatacenters(t, []string{"east", "west", "south"})
	servers[2].Stop()
	a := &aviary{cluster: &cluster{consul: servers[0], authority: newAuthority(t, testca.ResponderOptions{}), tokens: map[string]string{}}, dir: t.TempDir()}
	a.inJob, a.announce = a.inNode, "names = true"
	a.addNodes(t, 1, testca.IssueOptions{}, www, bird)
	west := &aviary{cluster: &cluster{consul: servers[1], authority: a.authority, tokens: map[string]string{}}, dir: a.dir}
	n := &node{name: "node-1", dir: t.TempDir()}
	copyFolder(t, filepath.Join(a.nodes[0].dir, "certs"), filepath.Join(n.dir, "certs"))
	west.inJob = west.inNode
	west.runNode(t, n)
	a.startPublisher(t, "west", "south")
	a.served(t, bird, "good")
	west.served(t, bird, "good")
	a.looked(t, 1)
	west.looked(t, 1)
	a.hurry(t)
	a.begin(t, a.hold(), a.release(), "every = \"10m\"\n    within = \"1m\"")
	c := a.canary(t, all)
	if c.Nodes[0].Node != "node-1" || c.Nodes[1].Node != "node-1.west" {
		t.Errorf("%+v", c.Nodes)
	}
	a.calm(t)
	if n.agent.stop(t, os.Interrupt); strings.Contains(n.agent.log.String(), "[ERROR]") {
		t.Error("the node in the west logs an error")
	}
}

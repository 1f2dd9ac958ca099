package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/consul-ocsp/consul-ocsp/plugin/handshake"
	"github.com/consul-ocsp/consul-ocsp/plugin/haproxy/haproxytest"
	"github.com/consul-ocsp/consul-ocsp/plugin/testca"
)

// alone is what the job file of an agent without Consul begins with.
const alone = `data_dir = %q
lock_dir = %q
`

// newAlone makes a node without Consul: certificates, a HAProxy that has loaded
// them without any response, and a job file. Its agent is started by start.
func newAlone(t *testing.T, a *authority, o haproxytest.Options, names ...string) *node {
	t.Helper()
	n := &node{name: "alone", dir: t.TempDir()}
	certs := filepath.Join(n.dir, "certs")
	a.issue(t, certs, testca.IssueOptions{}, names...)
	o.Certs = []string{certs + "/"}
	n.haproxy = haproxytest.Start(t, o)
	text := fmt.Sprintf(alone, filepath.Join(n.dir, "data"), filepath.Join(n.dir, "lock"))
	n.job = writeJob(t, filepath.Join(n.dir, "node.hcl"), text+fmt.Sprintf(nodeJob, certs, n.haproxy.Socket()))
	return n
}

// edit replaces old, which must be there, in the node's job file.
func (n *node) edit(t *testing.T, old, new string) {
	t.Helper()
	text, err := os.ReadFile(n.job)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(text), old) {
		t.Fatalf("%s has no %q", n.job, old)
	}
	writeJob(t, n.job, strings.Replace(string(text), old, new, 1))
}

// hup has the node's agent read its job file again.
func (n *node) hup(t *testing.T) {
	t.Helper()
	if err := n.agent.cmd.Process.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
}

// file is the path of a certificate's response.
func (n *node) file(name string) string { return n.certificate(name) + ".ocsp" }

// response is what the file of a certificate holds.
func (n *node) response(t *testing.T, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(n.file(name))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// removeResponses removes every file with a response.
func (n *node) removeResponses(t *testing.T) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(n.dir, "certs", "*.ocsp"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no response is in a file: %v", err)
	}
	for _, f := range files {
		if err := os.Remove(f); err != nil {
			t.Fatal(err)
		}
	}
}

// staple is what the node's HAProxy staples now; nil for nothing.
func (n *node) staple(t *testing.T, name string) []byte {
	t.Helper()
	r, err := handshake.Connect(context.Background(), handshake.Options{Address: n.haproxy.Address(), ServerName: name, Timeout: patience})
	if err != nil {
		t.Fatalf("handshake: %v", err)
	}
	return r.Staple
}

// unstapled checks that the node's HAProxy staples nothing now.
func (n *node) unstapled(t *testing.T, name string) {
	t.Helper()
	if b := n.staple(t, name); b != nil {
		t.Fatalf("%s: HAProxy staples %d bytes; want none yet", name, len(b))
	}
}

// unchanged checks that a certificate's file and HAProxy have this response.
func (n *node) unchanged(t *testing.T, name string, want []byte) {
	t.Helper()
	if !bytes.Equal(n.response(t, name), want) {
		t.Errorf("%s: the file of %s holds another response", n.name, name)
	}
	if !bytes.Equal(n.staple(t, name), want) {
		t.Errorf("%s: HAProxy staples another response for %s", n.name, name)
	}
}

// status -watch prints again when something has changed, and ends with INT.
func TestStatusWatch(t *testing.T) {
	t.Parallel()
	const www = "www.example.test"
	a := newAuthority(t, testca.ResponderOptions{})
	n := newAlone(t, a, haproxytest.Options{}, www)
	n.start(t)
	stapled(t, n.haproxy.Address(), www, "good")
	watch := start(t, "status", "-watch", "-config-file="+n.job)
	watch.says(t, "1 ok")
	a.revoke(t, www)
	if out, code := consulOCSP(t, "fetch", "-force", "-config-file="+n.job); code != exitOK {
		t.Fatalf("fetch ends with %d:\n%s", code, out)
	}
	watch.says(t, "1 revoked")
	if code := watch.stop(t, os.Interrupt); code != exitOK {
		t.Errorf("it ends with %d", code)
	}
}

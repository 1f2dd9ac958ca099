package main

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/consul-ocsp/consul-ocsp/consul/consultest"
	"github.com/consul-ocsp/consul-ocsp/plugin/haproxy/haproxytest"
	"github.com/consul-ocsp/consul-ocsp/plugin/staple"
	"github.com/consul-ocsp/consul-ocsp/plugin/testca"
)

// answer is a response of the CA, age old.
func (a *authority) answer(t *testing.T, cert *testca.Issued, age time.Duration, spoiled bool) []byte {
	t.Helper()
	now := time.Now()
	der, err := a.Respond(testca.Answer{Serial: cert.Serial, ThisUpdate: now.Add(-age), NextUpdate: now.Add(time.Hour), BadSignature: spoiled})
	if err != nil {
		t.Fatal(err)
	}
	return der
}

// hold has the node's HAProxy hold a response, as whoever pushes unverified does.
func (n *node) hold(t *testing.T, name string, der []byte) {
	t.Helper()
	path := n.certificate(name)
	for _, command := range []string{
		fmt.Sprintf("set ssl cert %s.ocsp <<\n%s\n", path, base64.StdEncoding.EncodeToString(der)), "commit ssl cert " + path,
	} {
		if out, err := n.haproxy.Command(command); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
	}
	if !bytes.Equal(n.staple(t, name), der) {
		t.Fatalf("HAProxy does not staple what it was given for %s", name)
	}
}

// A switch starts warm: what HAProxy holds is verified and kept, with every
// responder dead, and nothing newer gives way.
func TestSyncAdopts(t *testing.T) {
	t.Parallel()
	const www, shop, forged, none = "www.example.test", "shop.example.test", "forged.example.test", "none.example.test"
	names := []string{www, shop, forged, none}
	a := newAuthority(t, testca.ResponderOptions{})
	n := newAlone(t, a, haproxytest.Options{Binary: consultest.Binary(t, "haproxy-3.0")}, names...)
	a.stop()
	issued := issuedAs(t, &cluster{authority: a, nodes: []*node{n}}, names)
	held := a.answer(t, issued[www], time.Minute, false)
	n.hold(t, www, held)
	n.hold(t, shop, a.answer(t, issued[shop], 2*time.Minute, false))
	newer := a.answer(t, issued[shop], time.Minute, false)
	if err := os.WriteFile(n.file(shop), newer, 0o644); err != nil {
		t.Fatal(err)
	}
	n.hold(t, forged, a.answer(t, issued[forged], time.Minute, true))

	out, code := consulOCSP(t, "sync", "-adopt", "-config-file="+n.job)
	if code != exitSome {
		t.Fatalf("it ends with %d:\n%s", code, out)
	}
	for _, want := range []string{
		"edge/" + www + "     stapled  good until", ", adopted from haproxy\n", "edge/" + none + "    missing  waiting",
		"edge/" + forged + "  missing  signature", "responses=3 adopted=1",
	} {
		if !strings.Contains(out, want) {
			t.Errorf("it does not say %q:\n%s", want, out)
		}
	}
	n.unchanged(t, www, held)
	n.unchanged(t, shop, newer)
	if _, err := os.Stat(n.file(forged)); err == nil {
		t.Error("what is forged is in a file")
	}
	// data_dir has it too.
	n.removeResponses(t)
	n.haproxy.Restart()
	if out, code := consulOCSP(t, "sync", "-config-file="+n.job); code != exitSome {
		t.Fatalf("it ends with %d:\n%s", code, out)
	}
	n.unchanged(t, www, held)
	// Nothing is new.
	out, _ = consulOCSP(t, "sync", "-adopt", "-config-file="+n.job)
	if strings.Contains(out, ", adopted from") {
		t.Errorf("it adopts again:\n%s", out)
	}
}

// What can't be asked is said, and the rest of the pass is done.
func TestSyncCannotAdopt(t *testing.T) {
	t.Parallel()
	const www = "www.example.test"
	a := newAuthority(t, testca.ResponderOptions{})
	n := newAlone(t, a, haproxytest.Options{}, www)
	if out, code := consulOCSP(t, "fetch", "-config-file="+n.job); code != exitOK {
		t.Fatalf("fetch ends with %d:\n%s", code, out)
	}
	out, code := consulOCSP(t, "sync", "-adopt", "-config-file="+n.job)
	if old := strings.Contains(n.version(t), "Version: 2.6."); old && (code != exitFailed || !strings.Contains(out, "2.8 or later does")) || !old && code != exitOK {
		t.Errorf("it ends with %d:\n%s", code, out)
	}
	stapled(t, n.haproxy.Address(), www, "good")

	n.edit(t, `deliver "haproxy" {`, `deliver "exec" {
    command = ["true"]
  }
  deliver "haproxy" "other" {`)
	n.haproxy.Stop()
	if out, code := consulOCSP(t, "sync", "-adopt", "-config-file="+n.job); code != exitFailed || !strings.Contains(out, "consul-ocsp sync: job \"edge\": haproxy ") {
		t.Errorf("it ends with %d:\n%s", code, out)
	}
	bare := writeJob(t, filepath.Join(n.dir, "bare.hcl"), fmt.Sprintf(alone, filepath.Join(n.dir, "data"), filepath.Join(n.dir, "lock"))+
		fmt.Sprintf("job \"edge\" {\n  certificates {\n    paths = [%q]\n  }\n}\n", filepath.Dir(n.certificate(www))))
	if out, code := consulOCSP(t, "sync", "-adopt", "-config-file="+bare); code != exitFailed || !strings.Contains(out, "there is no HAProxy to adopt from") {
		t.Errorf("it ends with %d:\n%s", code, out)
	}
}

// version is what the node's HAProxy says of itself.
func (n *node) version(t *testing.T) string {
	t.Helper()
	out, err := n.haproxy.Command("show info")
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// With Consul the whole cluster starts warm: what one node adopted, its agent
// publishes once it leads, with every responder dead.
func TestAdoptedResponsesArePublished(t *testing.T) {
	t.Parallel()
	const www = "www.example.test"
	a := newAuthority(t, testca.ResponderOptions{})
	n := newAlone(t, a, haproxytest.Options{Binary: consultest.Binary(t, "haproxy-3.0")}, www)
	a.stop()
	c := newCluster(t, a)
	c.nodes = []*node{n}
	writeJob(t, n.job, c.head(t, "node-1", `"fetch", "deliver"`, n.dir)+fmt.Sprintf(nodeJob, filepath.Dir(n.certificate(www)), n.haproxy.Socket()))
	cert := issuedAs(t, c, []string{www})[www]
	held := a.answer(t, cert, time.Minute, false)
	n.hold(t, www, held)
	if out, code := consulOCSP(t, "sync", "-adopt", "-config-file="+n.job); code != exitOK || !strings.Contains(out, ", adopted from haproxy\n") {
		t.Fatalf("it ends with %d:\n%s", code, out)
	}
	n.unchanged(t, www, held)
	n.start(t)
	eventually(t, "the response in Consul", func() error {
		pair, _, err := c.consul.Client().KV().Get("consul-ocsp/v1/der/"+staple.ID(cert.Leaf), nil)
		if err != nil {
			return err
		}
		if pair == nil || !bytes.Equal(pair.Value, held) {
			return fmt.Errorf("it is not there, or another one")
		}
		return nil
	})
}

package main

import (
	"bytes"
	"crypto/tls"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/consul/api"

	"github.com/consul-ocsp/consul-ocsp/plugin/haproxy/haproxytest"
	"github.com/consul-ocsp/consul-ocsp/plugin/staple"
	"github.com/consul-ocsp/consul-ocsp/plugin/testca"
)

// renderToStaple bounds the time from a certificate's rendering until HAProxy,
// reloaded by the template's command, shows it with its staple.
const renderToStaple = 15 * time.Second

// A certificate that consul-template renders, and for which its command reloads
// HAProxy, has its staple within seconds: a rotated one, and one that was not
// there before. The node asks nobody but Consul, and HAProxy is not reloaded for
// the staple.
func TestTemplateRendersCertificate(t *testing.T) {
	t.Parallel()
	const shop = "shop.example.test"
	c := newCluster(t, newAuthority(t, testca.ResponderOptions{}))
	c.startFetcher(t, "fetcher", "")
	n := &node{name: "node-1", dir: t.TempDir()}
	certs := filepath.Join(n.dir, "certs")
	first := c.vault(t, www)
	renderOnce(t, c, n, www)
	n.haproxy = haproxytest.Start(t, haproxytest.Options{MasterWorker: true, Certs: []string{certs + "/"}})
	n.job = writeJob(t, filepath.Join(n.dir, "node.hcl"), c.head(t, n.name, `"deliver"`, n.dir)+fmt.Sprintf(nodeJob, certs, n.haproxy.Socket()))
	n.start(t)
	c.nodes = append(c.nodes, n)
	c.served(t, www, "good")
	n.shows(t, www, first)

	config := writeJob(t, filepath.Join(n.dir, "template.hcl"), templateConfig(t, n, www)+templateConfig(t, n, shop))
	p := startTemplate(t, c.consul, nil, "-config="+config)
	for round, name := range []string{www, shop, www} {
		issued := c.vault(t, name)
		eventually(t, "rendering of "+name, func() error {
			if b, err := os.ReadFile(n.certificate(name)); err != nil || !bytes.Contains(b, pemOf(t, issued)) {
				return fmt.Errorf("not yet the new certificate; %v", err)
			}
			return nil
		})
		began := time.Now()
		n.shows(t, name, issued)
		took := time.Since(began)
		t.Logf("%s has its staple %s after it was rendered", name, took.Round(10*time.Millisecond))
		if took > renderToStaple {
			t.Errorf("that is more than %s", renderToStaple)
		}
		if reloads := strings.Count(readText(t, filepath.Join(n.dir, "reloads")), "\n"); reloads != round+1 {
			t.Errorf("%d reloads for %d certificates", reloads, round+1)
		}
	}
	c.asked(t, 4)
	if p.ended() {
		t.Error("consul-template has ended")
	}
}

// vault issues a certificate and puts it where the template finds it.
func (c *cluster) vault(t *testing.T, name string) *testca.Issued {
	t.Helper()
	issued := c.authority.issue(t, t.TempDir(), testca.IssueOptions{}, name)[0]
	pair := &api.KVPair{Key: "pki/" + name, Value: []byte(readText(t, issued.Path))}
	if _, err := c.consul.Client().KV().Put(pair, nil); err != nil {
		t.Fatal(err)
	}
	return issued
}

// pemOf is the certificate's text, without issuer and key.
func pemOf(t *testing.T, i *testca.Issued) []byte {
	t.Helper()
	text, _, _ := bytes.Cut([]byte(readText(t, i.Path)), []byte("-----END"))
	return text
}

// renderOnce renders a certificate before HAProxy is started, which needs it.
func renderOnce(t *testing.T, c *cluster, n *node, name string) {
	t.Helper()
	p := startTemplate(t, c.consul, map[string]string{}, "-once", "-config="+writeJob(t, filepath.Join(n.dir, "once.hcl"),
		fmt.Sprintf("template {\n  contents = %q\n  destination = %q\n  perms = \"0600\"\n}\n", `{{ key "pki/`+name+`" }}`, n.certificate(name))))
	select {
	case <-p.done:
	case <-time.After(patience):
		t.Fatal("consul-template -once does not end")
	}
	if code := p.cmd.ProcessState.ExitCode(); code != exitOK {
		t.Fatalf("consul-template -once ends with %d", code)
	}
}

// templateConfig is a template of a certificate, with a command that reloads the
// node's HAProxy.
func templateConfig(t *testing.T, n *node, name string) string {
	t.Helper()
	const form = `template {
  contents    = %q
  destination = %q
  perms       = "0600"
  command     = ["sh", "-c", %q]
  wait {
    min = "1s"
    max = "5s"
  }
}
`
	reload := fmt.Sprintf("echo reload | socat - UNIX-CONNECT:%s && date >> %s", n.haproxy.MasterSocket(), filepath.Join(n.dir, "reloads"))
	return fmt.Sprintf(form, `{{ key "pki/`+name+`" }}`, n.certificate(name), reload)
}

// shows waits until HAProxy serves this very certificate with a good staple.
func (n *node) shows(t *testing.T, name string, want *testca.Issued) {
	t.Helper()
	eventually(t, "handshake for "+name, func() error {
		conn, err := tls.Dial("tcp", n.haproxy.Address(), &tls.Config{ServerName: name, InsecureSkipVerify: true})
		if err != nil {
			return err
		}
		defer conn.Close()
		state := conn.ConnectionState()
		if got := state.PeerCertificates[0]; got.SerialNumber.Cmp(want.Serial) != 0 {
			return fmt.Errorf("it still has the certificate %x", got.SerialNumber)
		}
		facts, err := staple.Verify(state.OCSPResponse, state.PeerCertificates[0], state.PeerCertificates[1], staple.Options{Now: time.Now()})
		if err == nil && facts.Status != staple.Good {
			err = fmt.Errorf("status %s", facts.Status)
		}
		return err
	})
}

package main

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"math/big"
	"os"
	"path/filepath"
	"regexp"
	"testing"
	"time"

	"github.com/consul-ocsp/consul-ocsp/consul/consultest"
	"github.com/consul-ocsp/consul-ocsp/plugin/haproxy/haproxytest"
	"github.com/consul-ocsp/consul-ocsp/plugin/record"
	"github.com/consul-ocsp/consul-ocsp/plugin/staple"
	"github.com/consul-ocsp/consul-ocsp/plugin/testca"
)

// Certificates come, are renewed in every way that is usual, and go: each new
// one is announced, fetched by another agent, and has its response beside it
// before HAProxy loads it, so that no client ever sees it without. Nobody asks
// for any of it.
func TestCertificatesComeAreRenewedAndGo(t *testing.T) {
	t.Parallel()
	const shop = "shop.example.test"
	c := newCluster(t, newAuthority(t, testca.ResponderOptions{}))
	c.startFetcher(t, "fetcher", "")
	n := &node{name: "node-1", dir: t.TempDir()}
	certs := filepath.Join(n.dir, "certs")
	c.authority.issue(t, certs, testca.IssueOptions{}, www)
	n.haproxy = haproxytest.Start(t, haproxytest.Options{MasterWorker: true, Certs: []string{certs + "/"}})
	n.job = writeJob(t, filepath.Join(n.dir, "node.hcl"), c.head(t, n.name, `"deliver"`, n.dir)+fmt.Sprintf(nodeJob, certs, n.haproxy.Socket()))
	n.start(t)
	c.nodes = append(c.nodes, n)
	c.served(t, www, "good")

	link := filepath.Join(n.dir, "live")
	ways := []struct {
		name string
		host string
		put  func(t *testing.T, pem []byte, path string)
	}{
		{"added", shop, written},
		{"renamed", www, renamed},
		{"rewritten in place", www, written},
		{"half written", shop, func(t *testing.T, pem []byte, path string) {
			written(t, pem[:len(pem)/3], path)
			n.agent.says(t, path+": PEM")
			written(t, pem, path)
		}},
		{"removed for a moment", shop, func(t *testing.T, pem []byte, path string) {
			if err := os.Remove(path); err != nil {
				t.Fatal(err)
			}
			written(t, pem, path)
		}},
		{"linked", www, func(t *testing.T, pem []byte, path string) { linked(t, pem, path, link, "1") }},
		{"link turned", www, func(t *testing.T, pem []byte, path string) { linked(t, pem, path, link, "2") }},
	}
	for _, way := range ways {
		issued := c.authority.issue(t, t.TempDir(), testca.IssueOptions{}, way.host)[0]
		pem := []byte(readText(t, issued.Path))
		began := time.Now()
		way.put(t, pem, n.certificate(way.host))
		n.filed(t, c.authority, way.host, issued)
		t.Logf("%s: its response is in its file %s later", way.name, time.Since(began).Round(10*time.Millisecond))
		n.haproxy.Reload()
		n.showsOnlyStapled(t, way.host, issued)
	}
	c.asked(t, int64(len(ways)+1))
	c.reports(t, n, 2)
	if err := os.Remove(n.certificate(shop)); err != nil {
		t.Fatal(err)
	}
	c.reports(t, n, 1)
}

func written(t *testing.T, pem []byte, path string) {
	t.Helper()
	if err := os.WriteFile(path, pem, 0o600); err != nil {
		t.Fatal(err)
	}
}

func renamed(t *testing.T, pem []byte, path string) {
	t.Helper()
	fresh := filepath.Join(filepath.Dir(path), ".fresh")
	written(t, pem, fresh)
	if err := os.Rename(fresh, path); err != nil {
		t.Fatal(err)
	}
}

// linked puts the certificate into a folder of its own, and turns a link to it
// by which path leads there, as Kubernetes mounts secrets.
func linked(t *testing.T, pem []byte, path, link, version string) {
	t.Helper()
	folder := link + version
	if err := os.MkdirAll(folder, 0o755); err != nil {
		t.Fatal(err)
	}
	written(t, pem, filepath.Join(folder, filepath.Base(path)))
	for name, to := range map[string]string{link: folder, path: filepath.Join(link, filepath.Base(path))} {
		if err := os.Symlink(to, name+".new.ocsp"); err != nil { // which HAProxy passes over
			t.Fatal(err)
		}
		if err := os.Rename(name+".new.ocsp", name); err != nil {
			t.Fatal(err)
		}
	}
}

// filed waits until the file beside a certificate holds a good response to it.
func (n *node) filed(t *testing.T, a *authority, name string, issued *testca.Issued) {
	t.Helper()
	eventually(t, "the response of "+name, func() error {
		der, err := os.ReadFile(n.file(name))
		if err != nil {
			return err
		}
		facts, err := staple.Verify(der, issued.Leaf, a.Certificate(), staple.Options{Now: time.Now()})
		if err == nil && facts.Status != staple.Good {
			err = fmt.Errorf("status %s", facts.Status)
		}
		return err
	})
}

// showsOnlyStapled waits until HAProxy shows this certificate. Whenever it does,
// the staple must be there.
func (n *node) showsOnlyStapled(t *testing.T, name string, issued *testca.Issued) {
	t.Helper()
	eventually(t, "handshake for "+name, func() error {
		serial, err := shown(n.haproxy.Address(), name)
		if serial == nil {
			return err
		}
		if serial.Cmp(issued.Serial) != 0 {
			return fmt.Errorf("it still has the certificate %x", serial)
		}
		if err != nil {
			t.Fatalf("%s: shown to a client, but %v", name, err)
		}
		return nil
	})
}

// shown is the serial of the certificate that a client gets, and what is wrong
// with its staple.
func shown(address, name string) (*big.Int, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	conn, err := (&tls.Dialer{Config: &tls.Config{ServerName: name, InsecureSkipVerify: true}}).DialContext(ctx, "tcp", address)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	state := conn.(*tls.Conn).ConnectionState()
	_, err = staple.Verify(state.OCSPResponse, state.PeerCertificates[0], state.PeerCertificates[1], staple.Options{Now: time.Now()})
	return state.PeerCertificates[0].SerialNumber, err
}

// reports waits until the node says in Consul that it holds so many
// certificates, and that nothing is wrong.
func (c *cluster) reports(t *testing.T, n *node, certificates int) {
	t.Helper()
	eventually(t, "the record of "+n.name, func() error {
		pair, _, err := c.consul.Client().KV().Get("consul-ocsp/v1/node/"+n.name, nil)
		if err != nil || pair == nil {
			return fmt.Errorf("no record: %v", err)
		}
		var r record.Node
		if err := json.Unmarshal(pair.Value, &r); err != nil {
			return err
		}
		if r.Certificates != certificates || len(r.Trouble) != 0 {
			return fmt.Errorf("%d certificates, in trouble: %+v", r.Certificates, r.Trouble)
		}
		return nil
	})
}

// A certificate that somebody else replaces in a running HAProxy loses its
// registration there. It is registered again, whether its file is the first to
// change or HAProxy.
func TestReplacedAtRunTimeBySomebodyElse(t *testing.T) {
	t.Parallel()
	for name, binary := range map[string]string{"system": "", "3.0": consultest.Binary(t, "haproxy-3.0")} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := newAuthority(t, testca.ResponderOptions{})
			n := newAlone(t, a, haproxytest.Options{Binary: binary}, www)
			n.start(t)
			stapled(t, n.haproxy.Address(), www, "good")
			pid := n.haproxy.PID()

			fresh := a.issue(t, t.TempDir(), testca.IssueOptions{}, www)[0]
			renamed(t, []byte(readText(t, fresh.Path)), n.certificate(www))
			n.filed(t, a, www, fresh)
			n.replace(t, www, fresh)
			n.shows(t, www, fresh)

			again := a.issue(t, t.TempDir(), testca.IssueOptions{}, www)[0]
			n.replace(t, www, again)
			renamed(t, []byte(readText(t, again.Path)), n.certificate(www))
			n.shows(t, www, again)
			if now := n.haproxy.PID(); now != pid {
				t.Errorf("the worker is %d, was %d", now, pid)
			}
		})
	}
}

// transacted is what HAProxy answers to each command of a transaction.
var transacted = regexp.MustCompile(`Transaction (created|updated) for certificate|Success!`)

// replace has the running HAProxy use another certificate, as deploy hooks do.
func (n *node) replace(t *testing.T, name string, by *testca.Issued) {
	t.Helper()
	for _, command := range []string{
		fmt.Sprintf("set ssl cert %s <<\n%s", n.certificate(name), readText(t, by.Path)),
		"commit ssl cert " + n.certificate(name),
	} {
		// Our own transaction for the certificate before may be open for a moment.
		eventually(t, "somebody else's command", func() error {
			answer, err := n.haproxy.Command(command)
			if err == nil && !transacted.MatchString(answer) {
				err = fmt.Errorf("%s", answer)
			}
			return err
		})
	}
}

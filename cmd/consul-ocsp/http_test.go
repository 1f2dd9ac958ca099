package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/consul-ocsp/consul-ocsp/consul/consultest"
	"github.com/consul-ocsp/consul-ocsp/plugin/status"
	"github.com/consul-ocsp/consul-ocsp/plugin/testca"
)

// httpBlock has an agent answer at a socket in a folder.
func httpBlock(dir, more string) string {
	return fmt.Sprintf("http {\n  address = \"unix://%s\"\n%s}\n", filepath.Join(dir, "http"), more)
}

// overSocket asks who answers at the socket in a folder.
func overSocket(dir string, config *tls.Config) *http.Client {
	return &http.Client{Timeout: patience, Transport: &http.Transport{
		DisableKeepAlives: true, TLSClientConfig: config,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, "unix", filepath.Join(dir, "http"))
		},
	}}
}

// page is what is answered there.
func page(client *http.Client, path string) (code int, body string, err error) {
	r, err := client.Get("http://agent" + path)
	if err != nil {
		return 0, "", err
	}
	defer r.Body.Close()
	b, err := io.ReadAll(r.Body)
	return r.StatusCode, string(b), err
}

// answers waits until an endpoint answers this code with all of these texts.
func answers(t *testing.T, client *http.Client, path string, code int, texts ...string) string {
	t.Helper()
	var body string
	eventually(t, path, func() error {
		got, b, err := page(client, path)
		if err != nil || got != code {
			return fmt.Errorf("%d %w: %s", got, err, b)
		}
		for _, text := range texts {
			if !strings.Contains(b, text) {
				return fmt.Errorf("no %q in %s", text, b)
			}
		}
		body = b
		return nil
	})
	return body
}

// newQuiet starts an agent without Consul that has nothing to do.
func newQuiet(t *testing.T, dir, more string) *node {
	t.Helper()
	certs := filepath.Join(dir, "certs")
	if err := os.Mkdir(certs, 0o755); err != nil {
		t.Fatal(err)
	}
	n := &node{dir: dir}
	n.job = writeJob(t, filepath.Join(dir, "node.hcl"), fmt.Sprintf(alone, filepath.Join(dir, "data"), filepath.Join(dir, "lock"))+more+
		fmt.Sprintf("job \"edge\" {\n  certificates {\n    paths = [%q]\n  }\n}\n", certs))
	n.start(t)
	return n
}

// A node shows what the cluster knows, how it is itself, and no secret: also
// while Consul is away.
func TestHTTP(t *testing.T) {
	t.Parallel()
	c := newCluster(t, newAuthority(t, testca.ResponderOptions{}), consultest.WithACL())
	c.tokens["node-1"] = c.consul.CreateToken(t, policy(nodeRules, "node-1", ""))
	c.startFetcher(t, "fetcher", "")
	folder := t.TempDir()
	c.more = httpBlock(folder, "")
	c.addNodes(t, 1, testca.IssueOptions{}, www)
	c.served(t, www, "good")
	client, n := overSocket(folder, nil), c.nodes[0]
	answers(t, client, "/v1/health/live", 200, `"ok": true`)
	answers(t, client, "/v1/health/ready", 200, `"ok": true`, `"reasons": []`)
	all := answers(t, client, "/v1/status", 200, `"source": "consul"`, `"nodes_current": 1`, `"node": "node-1"`, `"node": "fetcher"`)
	var shown, printed status.Report
	if err := json.Unmarshal([]byte(all), &shown); err != nil {
		t.Fatal(err)
	}
	out, _ := consulOCSP(t, "status", "-json", "-config-file="+n.job)
	if err := json.Unmarshal([]byte(out), &printed); err != nil {
		t.Fatal(err)
	}
	if shown.Staples[0].ID != printed.Staples[0].ID || !shown.Staples[0].Until.Equal(printed.Staples[0].Until) {
		t.Errorf("shown:\n%s\nprinted:\n%s", all, out)
	}
	id := n.id(t, www)
	all += answers(t, client, "/v1/staples/"+id, 200, `"node": "node-1"`, `"delivers": "current"`,
		`"name": "signature"`, `"detail": "the issuer itself"`, `"responders": [`)
	all += answers(t, client, "/v1/nodes", 200, `"applied": "1"`, id[:12])
	all += answers(t, client, "/v1/responders", 200, `"node": "node-1"`, `"fetches": false`, `"node": "fetcher"`, `"responders": []`)
	all += answers(t, client, "/v1/metrics", 200, `consul_ocsp_staples{state="ok",view="delivered"} 1`+"\n", `,name="`+www+`",state="ok",view="delivered"} 1`,
		"consul_ocsp_publish_to_stapled_seconds_count 1\n", "consul_ocsp_consul_up 1\n", `consul_ocsp_pushes_total{how="`,
		`consul_ocsp_consul_request_duration_seconds_count{kind="blocking"}`)
	answers(t, client, "/", 200, "<title>consul-ocsp</title>")
	answers(t, client, "/nothing", 404, "/v1/status")

	c.authority.revoke(t, www)
	c.hurry(t)
	answers(t, client, "/v1/health/ready", 503, `"ok": false`, "edge/"+www+": the certificate is revoked")
	answers(t, client, "/v1/status", 200, `"state": "revoked"`)

	c.consul.Kill()
	all += answers(t, client, "/v1/status", 200, `"source": "data_dir"`, `"error": "`, `"state": "revoked"`, `"node": "node-1"`, `"nodes_current": 1`)
	answers(t, client, "/v1/health/live", 200)
	all += answers(t, client, "/v1/metrics", 200, "consul_ocsp_consul_up 0\n", `consul_ocsp_staples{state="revoked",view="delivered"} 1`)
	all += answers(t, client, "/v1/nodes", 200, `"source": "data_dir"`, `"applied": "1"`)
	for _, secret := range []string{c.tokens["node-1"], "PRIVATE KEY"} {
		if strings.Contains(all, secret) {
			t.Errorf("%q is shown:\n%s", secret, all)
		}
	}
}

// Over TLS only clients of the CA are answered; another certificate counts from
// a HUP on, and one that can't be used never.
func TestHTTPOverTLS(t *testing.T) {
	t.Parallel()
	ca := initCA(t)
	dir := t.TempDir()
	file := func(name string) string { return filepath.Join(dir, name+".pem") }
	issue := func(name string, usage x509.ExtKeyUsage) *testca.Issued {
		t.Helper()
		issued, err := ca.Issue([]string{name}, testca.IssueOptions{File: file(name), Template: func(c *x509.Certificate) {
			c.ExtKeyUsage = []x509.ExtKeyUsage{usage}
		}})
		if err != nil {
			t.Fatal(err)
		}
		return issued
	}
	issue("agent", x509.ExtKeyUsageServerAuth)
	issue("operator", x509.ExtKeyUsageClientAuth)
	n := newQuiet(t, dir, httpBlock(dir, fmt.Sprintf("  tls {\n    cert_file = %q\n    key_file  = %q\n    ca_file   = %q\n  }\n",
		file("agent"), file("agent"), filepath.Join(ca.Dir(), "ca.pem"))))
	operator, err := tls.LoadX509KeyPair(file("operator"), file("operator"))
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AddCert(ca.Certificate())
	shown := func(certificates ...tls.Certificate) (*x509.Certificate, error) {
		client := overSocket(dir, &tls.Config{RootCAs: roots, ServerName: "agent", Certificates: certificates})
		r, err := client.Get("https://agent/v1/health/live")
		if err != nil {
			return nil, err
		}
		r.Body.Close()
		return r.TLS.PeerCertificates[0], nil
	}
	var first *x509.Certificate
	eventually(t, "an answer over TLS", func() (err error) { first, err = shown(operator); return err })
	if _, err := shown(); err == nil {
		t.Error("a client without a certificate is answered")
	}
	second := issue("agent", x509.ExtKeyUsageServerAuth)
	n.hup(t)
	eventually(t, "the other certificate", func() error {
		got, err := shown(operator)
		if err == nil && !got.Equal(second.Leaf) {
			err = fmt.Errorf("serial %v, the first was %v", got.SerialNumber, first.SerialNumber)
		}
		return err
	})
	if err := os.WriteFile(file("agent"), []byte("nothing"), 0o600); err != nil {
		t.Fatal(err)
	}
	n.hup(t)
	n.agent.says(t, "the files of tls can't be used, those before go on")
	if got, err := shown(operator); err != nil || !got.Equal(second.Leaf) {
		t.Errorf("%v", err)
	}
}

// Many more connections than are served at a time, all of which say half a
// sentence and then nothing, keep nobody from an answer for good.
func TestHTTPBearsSlowClients(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	newQuiet(t, dir, httpBlock(dir, ""))
	client := overSocket(dir, nil)
	answers(t, client, "/v1/health/ready", 200)
	for i := range 5000 {
		conn, err := net.DialTimeout("unix", filepath.Join(dir, "http"), patience)
		if err != nil {
			t.Fatalf("connection %d: %v", i, err)
		}
		defer conn.Close()
		_ = conn.SetWriteDeadline(time.Now().Add(patience))
		if _, err := conn.Write([]byte("GET /v1/status HTTP/1.1\r\nHost: ")); err != nil && i < 4000 {
			t.Fatalf("connection %d: %v", i, err)
		}
	}
	answers(t, client, "/v1/status", 200)
	answers(t, client, "/v1/health/live", 200)
}

package main

import (
	"crypto/x509"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/consul-ocsp/consul-ocsp/consul/consultest"
	"github.com/consul-ocsp/consul-ocsp/plugin/testca"
)

// Consul's HTTPS takes nobody without a certificate of its CA, whose own one has
// a name that is not its address: the fetching agent shows one, and the node
// speaks to Consul's unix socket.
func TestMutualTLSAndSocket(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	ca := initCA(t)
	for _, name := range []string{"server.dc1.consul", "client"} {
		_, err := ca.Issue([]string{name}, testca.IssueOptions{File: filepath.Join(dir, name+".pem"), Template: func(c *x509.Certificate) {
			if name == "client" {
				c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
			}
		}})
		if err != nil {
			t.Fatal(err)
		}
	}
	root, server, client := filepath.Join(ca.Dir(), "ca.pem"), filepath.Join(dir, "server.dc1.consul.pem"), filepath.Join(dir, "client.pem")
	socket := filepath.Join(dir, "consul.sock")
	c := newCluster(t, newAuthority(t, testca.ResponderOptions{}), consultest.WithTLS(root, server, server), consultest.WithSocket(socket))
	c.addresses = map[string]string{
		"fetcher": c.consul.TLSAddress(), "bare": "https://" + c.consul.TLSAddress(), "stranger": "https://" + c.consul.TLSAddress(),
		"node-1": "unix://" + socket, "status": "unix://" + socket,
	}
	tls := func(lines string) {
		c.sessions = brief + "\n  tls {\n    server_name = \"server.dc1.consul\"\n" + lines + "  }"
	}
	tls(fmt.Sprintf("    enabled = true\n    ca_file = %q\n    cert_file = %q\n    key_file = %q\n", root, client, client))
	c.startFetcher(t, "fetcher", "")
	c.sessions = ""
	c.addNodes(t, 1, testca.IssueOptions{}, www)
	c.served(t, www, "good")
	c.statusIs(t, "1 staple: 1 ok", "2 nodes: 2 ok")

	for name, test := range map[string]struct{ lines, says string }{
		"bare":     {fmt.Sprintf("    ca_file = %q\n", root), "consul asked for a client's certificate: set tls { cert_file, key_file }"},
		"stranger": {fmt.Sprintf("    cert_file = %q\n    key_file = %q\n", client, client), "certificate signed by unknown authority"},
	} {
		dir := t.TempDir()
		tls(test.lines)
		job := writeJob(t, filepath.Join(dir, "job.hcl"), c.head(t, name, `"fetch"`, dir))
		if out, code := consulOCSP(t, "status", "-config-file="+job); code == exitOK || !strings.Contains(out, test.says) {
			t.Errorf("%s: status ends with %d:\n%s", name, code, out)
		}
	}
}

// A token that is replaced in its file is used after HUP although the old one is
// still good; and without HUP, once Consul refuses the old one.
func TestTokenFile(t *testing.T) {
	t.Parallel()
	c := newCluster(t, newAuthority(t, testca.ResponderOptions{}), consultest.WithACL())
	file := filepath.Join(t.TempDir(), "token")
	token := func(rules string) string {
		value := c.consul.CreateToken(t, rules)
		if err := os.WriteFile(file, []byte(value+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		return value
	}
	full := policy(nodeRules, "node-1", "")
	tokens := newTokens(t, c.consul.Address())
	c.startFetcher(t, "fetcher", "")
	token(policy(nodeRules, "node-1", nodeRules[4]))
	c.addresses = map[string]string{"node-1": tokens.address}
	c.tokens["node-1"] = ""
	c.sessions = brief + fmt.Sprintf("\n  token_file = %q", file)
	c.addNodes(t, 1, testca.IssueOptions{}, www)
	c.sessions = ""
	n := c.nodes[0]
	n.agent.denied(t, "consul-ocsp/v1/node/node-1", strings.Replace(nodeRules[4], "%s", "node-1", 1))

	good := token(full)
	c.served(t, www, "good")
	c.statusIs(t, "2 nodes: 2 ok")
	tokens.sees(t, good)
	before := good
	after := token(full)
	n.reload(t)
	tokens.sees(t, after)

	// The one in use is taken away, and another one put into the file.
	next := token(full)
	tokens.unseen(t, next)
	for _, old := range []string{before, after} {
		entry, _, err := c.consul.Client().ACL().TokenList(nil)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entry {
			if e.SecretID != old {
				continue
			}
			if _, err := c.consul.Client().ACL().TokenDelete(e.AccessorID, nil); err != nil {
				t.Fatal(err)
			}
		}
	}
	c.authority.revoke(t, www)
	c.hurry(t)
	c.served(t, www, "revoked")
	tokens.sees(t, next)
	for _, secret := range []string{before, after, next} {
		if strings.Contains(n.agent.log.String(), secret) {
			t.Error("a token is in the log")
		}
	}
}

// tokens stands before Consul and knows which tokens it was shown.
type tokens struct {
	address string
	mu      sync.Mutex
	seen    map[string]bool
}

func newTokens(t *testing.T, consul string) *tokens {
	t.Helper()
	k := &tokens{seen: map[string]bool{}}
	k.address = before(t, consul, func(r *http.Request) {
		k.mu.Lock()
		defer k.mu.Unlock()
		k.seen[r.Header.Get("X-Consul-Token")] = true
	})
	return k
}

func (k *tokens) sees(t *testing.T, token string) {
	t.Helper()
	eventually(t, "a request with the new token", func() error {
		k.mu.Lock()
		defer k.mu.Unlock()
		if !k.seen[token] {
			return fmt.Errorf("none among those with %d tokens", len(k.seen))
		}
		return nil
	})
}

func (k *tokens) unseen(t *testing.T, token string) {
	t.Helper()
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.seen[token] {
		t.Error("the new token is in use already: the old one was not refused yet")
	}
}

// before is the address of what stands before Consul and shows each request to
// look, which may change it.
func before(t *testing.T, consul string, look func(*http.Request)) string {
	t.Helper()
	real := httputil.NewSingleHostReverseProxy(&url.URL{Scheme: "http", Host: consul})
	transport := &http.Transport{MaxIdleConnsPerHost: 16}
	t.Cleanup(transport.CloseIdleConnections)
	real.Transport = transport
	real.ErrorHandler = func(w http.ResponseWriter, _ *http.Request, _ error) { w.WriteHeader(http.StatusBadGateway) }
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		look(r)
		real.ServeHTTP(w, r)
	}))
	t.Cleanup(func() { server.CloseClientConnections(); server.Close() })
	return server.Listener.Addr().String()
}

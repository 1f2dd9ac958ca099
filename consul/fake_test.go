package consul

import (
	"context"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/consul/api"
)

// fake is a server that gives the answers that a real one gives too seldom.
func fake(t *testing.T, answer http.HandlerFunc, change ...func(*Config)) *Client {
	t.Helper()
	server := httptest.NewServer(answer)
	t.Cleanup(server.Close)
	config := Config{
		Address: server.Listener.Addr().String(), SessionTTL: 300 * time.Millisecond,
		Pause: func() time.Duration { return time.Millisecond },
	}
	for _, f := range change {
		f(&config)
	}
	c, err := New(config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// A session that can't be renewed for its whole time is given up, not before.
func TestRenewFails(t *testing.T) {
	var mu sync.Mutex
	renewals := 0
	c := fake(t, func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		switch {
		case strings.Contains(r.URL.Path, "/create"):
			fmt.Fprint(w, `{"ID":"adf4238a-882b-9ddc-4a9d-5b6758e4159e"}`)
		case strings.Contains(r.URL.Path, "/renew/"):
			renewals++
			if renewals == 1 {
				fmt.Fprint(w, `[{"ID":"adf4238a-882b-9ddc-4a9d-5b6758e4159e"}]`)
				return
			}
			http.Error(w, "No cluster leader", http.StatusInternalServerError)
		}
	})
	before := time.Now()
	s, err := c.newSession(t.Context(), "test")
	if err != nil {
		t.Fatal(err)
	}
	receive(t, "the session's end", s.ctx.Done())
	// Renewed once after a third of its time.
	if took := time.Since(before); took < c.config.SessionTTL*4/3 || !errors.Is(context.Cause(s.ctx), ErrNotLeader) {
		t.Errorf("given up after %s: %v", took, context.Cause(s.ctx))
	}
	s.close()
}

// An agent that has only just started has no node to hang a session on: that
// passes. Anything else does not.
func TestSessionUnregistered(t *testing.T) {
	for text, passes := range map[string]bool{
		`Missing node registration`:                   true,
		`Check 'serfHealth' is not registered`:        true,
		`Invalid Session TTL '5s', must be between …`: false,
	} {
		var mu sync.Mutex
		times := 0
		c := fake(t, func(w http.ResponseWriter, _ *http.Request) {
			mu.Lock()
			defer mu.Unlock()
			if times++; times <= 3 {
				http.Error(w, text, http.StatusInternalServerError)
				return
			}
			fmt.Fprint(w, `{"ID":"adf4238a-882b-9ddc-4a9d-5b6758e4159e"}`)
		})
		if _, err := c.createSession(t.Context(), "test"); (err == nil) != passes {
			t.Errorf("%s: %v", text, err)
		}
		if c.state.isDown() {
			t.Errorf("%s: taken for an outage", text)
		}
	}
}

// What is sent: the lock delay and the time of a session, the namespace and
// partition of each operation, no stale reads, waits within bounds.
func TestRequests(t *testing.T) {
	var mu sync.Mutex
	var bodies, queries []string
	c := fake(t, func(w http.ResponseWriter, r *http.Request) {
		body := make([]byte, r.ContentLength+1)
		n, _ := r.Body.Read(body)
		mu.Lock()
		defer mu.Unlock()
		bodies, queries = append(bodies, string(body[:max(n, 0)])), append(queries, r.URL.RawQuery)
		switch {
		case strings.HasSuffix(r.URL.Path, "/txn"):
			fmt.Fprint(w, `{"Results":[],"Errors":null}`)
		case strings.Contains(r.URL.Path, "/session/"):
			fmt.Fprint(w, `{"ID":"x"}`)
		default:
			w.Header().Set("X-Consul-Index", "7")
			fmt.Fprint(w, `[{"Key":"k","ModifyIndex":7}]`)
		}
	}, func(c *Config) { c.Namespace, c.Partition, c.Datacenter, c.SessionTTL = "team", "part", "dc2", 0 })
	last := func() (string, string) {
		mu.Lock()
		defer mu.Unlock()
		return bodies[len(bodies)-1], queries[len(queries)-1]
	}

	if _, err := c.createSession(t.Context(), "test"); err != nil {
		t.Fatal(err)
	}
	if body, query := last(); !strings.Contains(body, `"LockDelay":"5000ms"`) || !strings.Contains(body, `"TTL":"30s"`) || !strings.Contains(query, "ns=team") {
		t.Errorf("session: %s %s", query, body)
	}
	if _, _, err := c.txn(t.Context(), []op{set("a", []byte("b")), remove("c")}); err != nil {
		t.Fatal(err)
	}
	body, query := last()
	var ops []struct{ KV map[string]any }
	if err := json.Unmarshal([]byte(body), &ops); err != nil || len(ops) != 2 || !strings.Contains(query, "dc=dc2") {
		t.Fatalf("transaction: %s %s", query, body)
	}
	for _, o := range ops {
		if o.KV["Namespace"] != "team" || o.KV["Partition"] != "part" {
			t.Errorf("operation %v", o.KV)
		}
	}
	if _, _, err := c.get(t.Context(), "k", 6); err != nil {
		t.Fatal(err)
	}
	if _, query := last(); !strings.Contains(query, "wait=60000ms") || !strings.Contains(query, "index=6") || strings.Contains(query, "stale") {
		t.Errorf("blocking query: %s", query)
	}
	// Nothing that was asked for is answered: rights are missing, not keys.
	_, err := c.Staples(t.Context(), []string{testID(1)})
	wantDenied(t, "Staples", "read", err)
}

// A server that answers with another index every time, with a lower one, or at
// once with the same, is not asked without end, and never with an index ahead of
// its state.
func TestWatchIndex(t *testing.T) {
	answers := []struct {
		index string
		value string
	}{{"9", "a"}, {"9", "a"}, {"3", "a"}, {"3", "b"}, {"0", "b"}, {"1", "c"}}
	var mu sync.Mutex
	var asked []string
	done := make(chan struct{})
	c := fake(t, func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		i := min(len(asked), len(answers)-1)
		if asked = append(asked, r.URL.Query().Get("index")); len(asked) == len(answers) {
			close(done)
		}
		w.Header().Set("X-Consul-Index", answers[i].index)
		fmt.Fprintf(w, `[{"Key":"k","ModifyIndex":7,"Value":%q}]`, answers[i].value+"AAA")
	}, func(c *Config) { c.Wait = 40 * time.Millisecond })
	var told []byte
	stop := during(t, func(ctx context.Context) error {
		c.watch(ctx, "k", "test", func(pair *api.KVPair) { told = append(told, pair.Value[0]>>2) })
		return nil
	})
	receive(t, "all answers", done)
	_ = stop()
	mu.Lock()
	defer mu.Unlock()
	if got := strings.Join(asked[:len(answers)], ","); got != ",9,,3,," {
		t.Errorf("it asked with the indexes %q", got)
	}
	if len(told) < 2 || told[0] == told[1] {
		t.Errorf("it told %v", told)
	}
}

// A redirect could send the token elsewhere.
func TestNoRedirect(t *testing.T) {
	elsewhere := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("it follows a redirect") }))
	defer elsewhere.Close()
	c := fake(t, func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, elsewhere.URL, http.StatusFound) },
		func(c *Config) { c.Token = "secret" })
	if _, _, err := c.get(t.Context(), "k", 0); err == nil || strings.Contains(err.Error(), "secret") {
		t.Errorf("get: %v", err)
	}
}

// self answers NodeName, and tells the token.
func self(tokens chan<- string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		tokens <- r.Header.Get(tokenHeader)
		fmt.Fprint(w, `{"Config":{"NodeName":"node-1"}}`)
	})
}

// Each way to name a Consul reaches it, with the token that wins.
func TestAddresses(t *testing.T) {
	tokens := make(chan string, 1)
	plain, secure := httptest.NewServer(self(tokens)), httptest.NewTLSServer(self(tokens))
	defer plain.Close()
	defer secure.Close()
	folder := t.TempDir()
	socket := filepath.Join(folder, "consul.sock")
	listener, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	local := &http.Server{Handler: self(tokens)}
	var serving sync.WaitGroup
	serving.Go(func() { _ = local.Serve(listener) }) // ends with Close
	defer serving.Wait()
	defer local.Close()
	ca, file := filepath.Join(folder, "ca.pem"), filepath.Join(folder, "token")
	write(t, ca, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: secure.Certificate().Raw}))
	write(t, file, []byte("filed\n"))

	host := strings.TrimPrefix(secure.URL, "https://")
	for name, test := range map[string]struct {
		config      Config
		environment map[string]string
		token       string
		fails       bool
	}{
		"host and port":         {config: Config{Address: strings.TrimPrefix(plain.URL, "http://"), Token: "own"}, token: "own"},
		"url":                   {config: Config{Address: plain.URL, TokenFile: file, Token: "own"}, token: "filed"},
		"unix":                  {config: Config{Address: "unix://" + socket, Token: "own"}, token: "own"},
		"https":                 {config: Config{Address: secure.URL, TLS: TLS{CAFile: ca}}},
		"enabled":               {config: Config{Address: host, TLS: TLS{Enabled: true, CAFile: ca}}},
		"not verified":          {config: Config{Address: secure.URL, TLS: TLS{SkipVerify: true}}},
		"another name":          {config: Config{Address: secure.URL, TLS: TLS{CAFile: ca, ServerName: "elsewhere.test"}}, fails: true},
		"unknown authority":     {config: Config{Address: secure.URL}, fails: true},
		"environment":           {environment: map[string]string{"CONSUL_HTTP_ADDR": plain.URL, "CONSUL_HTTP_TOKEN": "theirs"}, token: "theirs"},
		"environment's files":   {environment: map[string]string{"CONSUL_HTTP_ADDR": secure.URL, "CONSUL_CACERT": ca, "CONSUL_HTTP_TOKEN_FILE": file}, token: "filed"},
		"configured wins":       {config: Config{Token: "own"}, environment: map[string]string{"CONSUL_HTTP_ADDR": plain.URL, "CONSUL_HTTP_TOKEN": "theirs", "CONSUL_HTTP_TOKEN_FILE": file + ".absent"}, token: "own"},
		"environment's verify":  {config: Config{Address: secure.URL}, environment: map[string]string{"CONSUL_HTTP_SSL_VERIFY": "false"}, fails: true},
		"environment's unix":    {environment: map[string]string{"CONSUL_HTTP_ADDR": "unix://" + socket}},
		"no such authority":     {config: Config{Address: secure.URL, TLS: TLS{CAFile: ca + ".absent"}}, fails: true},
		"no certificate's file": {config: Config{Address: secure.URL, TLS: TLS{CAFile: ca, CertFile: file, KeyFile: file}}, fails: true},
	} {
		t.Run(name, func(t *testing.T) {
			for _, variable := range os.Environ() {
				if key, _, _ := strings.Cut(variable, "="); strings.HasPrefix(key, "CONSUL_") {
					t.Setenv(key, "")
				}
			}
			for key, value := range test.environment {
				t.Setenv(key, value)
			}
			c, err := New(test.config)
			if err == nil {
				defer c.Close()
				_, err = c.NodeName(t.Context())
			}
			if (err != nil) != test.fails {
				t.Fatalf("NodeName: %v", err)
			}
			if err == nil {
				if got := <-tokens; got != test.token {
					t.Errorf("the token sent is %q", got)
				}
			}
		})
	}
}

func write(t *testing.T, file string, b []byte) {
	t.Helper()
	if err := os.WriteFile(file, b, 0o600); err != nil {
		t.Fatal(err)
	}
}

// What asking again can't mend is no outage.
func TestNoOutage(t *testing.T) {
	c := fake(t, func(w http.ResponseWriter, _ *http.Request) {
		http.Error(w, "too large", http.StatusRequestEntityTooLarge)
	})
	if _, _, err := c.txn(t.Context(), make([]op, maxOps+1)); err == nil || outage(t.Context(), err) {
		t.Errorf("too many operations: %v", err)
	}
	if _, _, err := c.txn(t.Context(), []op{set("k", nil)}); err == nil || outage(t.Context(), err) {
		t.Errorf("a transaction that Consul finds too large: %v", err)
	}
	if _, err := c.Staples(t.Context(), []string{"../leader"}); err == nil || outage(t.Context(), err) {
		t.Errorf("an id that is none: %v", err)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if outage(ended, errors.New("anything")) || outage(t.Context(), nil) || outage(t.Context(), fmt.Errorf("x: %w", ErrNotLeader)) {
		t.Error("what is no outage is taken for one")
	}
	if !outage(t.Context(), errTimeout) {
		t.Error("no answer is no outage")
	}
}

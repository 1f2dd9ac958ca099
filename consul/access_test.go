package consul

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hashicorp/go-hclog"

	"github.com/consul-ocsp/consul-ocsp/consul/consultest"
	"github.com/consul-ocsp/consul-ocsp/plugin/logtest"
	"github.com/consul-ocsp/consul-ocsp/plugin/record"
)

// The rules of the documentation, with root and names as a test has them.
const (
	nodeRules = `
key_prefix "%[1]s" { policy = "read" }
key_prefix "%[1]sv1/certificate/" { policy = "write" }
key_prefix "%[1]sv1/wanted/" { policy = "write" }
key "%[1]sv1/reload" { policy = "write" }
key "%[1]sv1/node/%[2]s" { policy = "write" }
`
	leaderRules = `
key_prefix "%[1]s" { policy = "read" }
key_prefix "%[1]sv1/" { policy = "write" }
session "%[2]s" { policy = "write" }
`
	statusRules = `key_prefix "%[1]s" { policy = "read" }`
)

// TestAccess runs with everything denied that a rule does not grant.
func TestAccess(t *testing.T) {
	t.Parallel()
	s := consultest.Start(t, consultest.WithACL())
	for name, test := range map[string]func(*testing.T, *consultest.Server){
		"Roles":       testRoles,
		"NodeIsNoGod": testNodeIsNoGod,
		"Denied":      testDenied,
		"NoSession":   testNoSession,
		"TokenFile":   testTokenFile,
		"NodeName":    testNodeName,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, s)
		})
	}
}

func withToken(token string) func(*Config) { return func(c *Config) { c.Token = token } }

// rights is a client with a token that has these rules.
func rights(t *testing.T, s *consultest.Server, rules, name string) *Client {
	t.Helper()
	text := rules
	if strings.Contains(rules, "%[2]s") {
		text = fmt.Sprintf(rules, root(t), name)
	} else if strings.Contains(rules, "%[1]s") {
		text = fmt.Sprintf(rules, root(t))
	}
	return newClient(t, s, withToken(s.CreateToken(t, text)))
}

// Each role's rules are enough for all that it does.
func testRoles(t *testing.T, s *consultest.Server) {
	leader := rights(t, s, leaderRules, s.Node())
	web := rights(t, s, nodeRules, "web-1")
	certs := certificates(t, 2, far())
	if err := web.ClaimNode(t.Context(), "web-1", "a"); err != nil {
		t.Error(err)
	}
	if err := web.AnnounceOnce(t.Context(), certs, AnnounceOptions{}); err != nil {
		t.Error(err)
	}
	if ok, _, err := web.TakeReload(t.Context(), reloaderOf("web-1"), 1, false); !ok || err != nil {
		t.Errorf("a turn to reload: %v, %v", ok, err)
	}
	if err := web.GiveReload(t.Context(), reloaderOf("web-1"), ""); err != nil {
		t.Error(err)
	}
	current, stop := listen(t, leader, 0)
	eventually(t, "the announced certificates", func() bool { return len(current()) == 2 })
	if err := stop(); err != nil {
		t.Error(err)
	}
	id := testID(1)
	n := follow(t, web, id)
	lead(t, leader, func(ctx context.Context, term *Term) {
		if err := term.Reconcile(ctx, newMirror(response(id, 1))); err != nil {
			t.Error(err)
		}
		if err := term.Trouble(ctx, id, &record.Trouble{Reason: "timeout"}); err != nil {
			t.Error(err)
		}
		if err := term.Names(ctx, map[string]string{"edge/www": id}); err != nil {
			t.Error(err)
		}
	})
	eventually(t, "the response", func() bool { return n.has(response(id, 1)) })
	snapshot, err := rights(t, s, statusRules, "").Snapshot(t.Context())
	if err != nil || len(snapshot.Metas) != 1 || len(snapshot.Nodes) != 1 {
		t.Errorf("Snapshot = %+v, %v", snapshot, err)
	}
}

// With a node's token nobody leads, publishes, or goes by another node's name.
func testNodeIsNoGod(t *testing.T, s *consultest.Server) {
	web := rights(t, s, nodeRules, "web-1")
	wantDenied(t, "lead", `session "`, web.TryLead(t.Context(), record.Leader{}, func(context.Context, *Term) error {
		t.Error("a node leads")
		return nil
	}))
	wantDenied(t, "another node", `key "`+web.keys.node("web-2")+`" { policy = "write" }`, web.ClaimNode(t.Context(), "web-2", "a"))

	// Even with a leader's session in hand.
	leader := newClient(t, s)
	one := campaign(t, leader, "one")
	term := receive(t, "one leads", one.leads)
	stolen := newTerm(web, term.session)
	wantDenied(t, "publish", `key_prefix "`+root(t)+`v1/" { policy = "write" }`, stolen.Publish(t.Context(), []record.Staple{response(testID(1), 1)}))
	if err := term.session.ctx.Err(); err != nil {
		t.Errorf("a denial ended the term: %v", err)
	}
}

func wantDenied(t *testing.T, what, rule string, err error) {
	t.Helper()
	var denied *PermissionError
	if !errors.As(err, &denied) || !strings.Contains(err.Error(), rule) || !strings.Contains(err.Error(), denied.Object) {
		t.Errorf("%s: %v; no denial that names %s", what, err, rule)
	}
}

// A token without rights, and one that Consul does not know, are told which
// rule is missing, by every method, and never that there is nothing.
func testDenied(t *testing.T, s *consultest.Server) {
	full := newClient(t, s)
	id := testID(1)
	lead(t, full, func(ctx context.Context, term *Term) { publish(t, ctx, term, response(id, 1)) })
	read := `key_prefix "` + root(t) + `" { policy = "read" }`
	for name, c := range map[string]*Client{
		"no rights": rights(t, s, `key_prefix "elsewhere/" { policy = "write" }`, ""),
		"unknown":   newClient(t, s, withToken("12345678-1234-1234-1234-123456789012")),
	} {
		t.Run(name, func(t *testing.T) {
			c.keys = full.keys
			_, err := c.Staples(t.Context(), []string{id})
			wantDenied(t, "Staples", read, err)
			if strings.Contains(err.Error(), "12345678-") {
				t.Errorf("the token is in %v", err)
			}
			_, err = c.Snapshot(t.Context())
			wantDenied(t, "Snapshot", read, err)
			_, _, err = c.list(t.Context(), c.keys.wanteds(), 0)
			wantDenied(t, "list", read, err)
			wantDenied(t, "AnnounceOnce", read, c.AnnounceOnce(t.Context(), certificates(t, 1, far()), AnnounceOptions{}))
			wantDenied(t, "TryLead", read, c.TryLead(t.Context(), record.Leader{}, func(context.Context, *Term) error { return nil }))
			wantDenied(t, "ClaimNode", read, c.ClaimNode(t.Context(), "web-1", "a"))
		})
	}
	reader := rights(t, s, statusRules, "")
	wantDenied(t, "announce", `v1/`, reader.AnnounceOnce(t.Context(), certificates(t, 1, far()), AnnounceOptions{}))
	if value(t, s, full.keys.der(id)) == nil {
		t.Error("the response is gone")
	}
}

// A leader without the right to a session says so, once.
func testNoSession(t *testing.T, s *consultest.Server) {
	var log logtest.Text
	token := s.CreateToken(t, fmt.Sprintf(`key_prefix "%s" { policy = "write" }`, root(t)))
	c := newClient(t, s, withToken(token), func(c *Config) {
		c.Logger = hclog.New(&hclog.LoggerOptions{Output: &log, Level: hclog.Debug})
	})
	campaign(t, c, "one")
	eventually(t, "three attempts", func() bool { return strings.Count(log.String(), "campaigning fails") >= 3 })
	text := log.String()
	if strings.Count(text, "[WARN]") != 1 || !strings.Contains(text, "session") || strings.Contains(text, token) {
		t.Errorf("the log says:\n%s", text)
	}
}

// A token that is replaced in its file is taken without a restart, whatever
// way Consul refused the old one.
func testTokenFile(t *testing.T, s *consultest.Server) {
	id := testID(1)
	full := newClient(t, s)
	lead(t, full, func(ctx context.Context, term *Term) { publish(t, ctx, term, response(id, 1)) })
	file := filepath.Join(t.TempDir(), "token")
	write := func(token string) {
		t.Helper()
		if err := os.WriteFile(file, []byte(token+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	poor := s.CreateToken(t, `key_prefix "elsewhere/" { policy = "read" }`)
	reader := s.CreateToken(t, fmt.Sprintf(statusRules, root(t)))
	rich := s.CreateToken(t, fmt.Sprintf(nodeRules, root(t), "web-1"))
	for name, use := range map[string]func(c *Client) error{
		"get":     func(c *Client) error { _, _, err := c.get(t.Context(), c.keys.head(), 0); return err },
		"Staples": func(c *Client) error { _, err := c.Staples(t.Context(), []string{id}); return err },
		"announce": func(c *Client) error {
			return c.AnnounceOnce(t.Context(), certificates(t, 1, far()), AnnounceOptions{})
		},
		"put": func(c *Client) error { return c.ClaimNode(t.Context(), "web-1", "a") },
	} {
		t.Run(name, func(t *testing.T) {
			write(poor)
			c := newClient(t, s, func(c *Config) { c.Token, c.TokenFile, c.Path = "", file, full.keys.root })
			wantDenied(t, "before", `policy = "read"`, use(c))
			if name == "announce" || name == "put" {
				write(reader)
				wantDenied(t, "with rights to read", `policy = "write"`, use(c))
			}
			write(rich)
			if err := use(c); err != nil {
				t.Errorf("with the new token: %v", err)
			}
			write("two words")
			if err := c.ReloadToken(); err == nil || strings.Contains(err.Error(), "words") {
				t.Errorf("ReloadToken: %v", err)
			}
			if err := use(c); err != nil {
				t.Errorf("a broken file took the token away: %v", err)
			}
		})
	}
	if _, err := New(Config{TokenFile: file + ".absent"}); err == nil {
		t.Error("a client without its token's file was made")
	}
}

func testNodeName(t *testing.T, s *consultest.Server) {
	_, err := rights(t, s, statusRules, "").NodeName(t.Context())
	wantDenied(t, "NodeName", `agent_prefix "" { policy = "read" }`, err)
	name, err := rights(t, s, `agent_prefix "" { policy = "read" }`, "").NodeName(t.Context())
	if err != nil || name != s.Node() {
		t.Errorf("NodeName = %q, %v; it is %q", name, err, s.Node())
	}
}

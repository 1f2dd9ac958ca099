package consul

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/consul-ocsp/consul-ocsp/consul/consultest"
	"github.com/consul-ocsp/consul-ocsp/plugin/record"
)

// A leader's lock in another datacenter needs exactly these rights there, and
// an error for want of one names it.
func TestForeignLock(t *testing.T) {
	t.Parallel()
	servers := consultest.StartDatacenters(t, []string{"east", "west"}, consultest.WithACL())
	east, west := servers[0], servers[1]
	keyRules := []string{
		`key_prefix "` + root(t) + `" { policy = "read" }`,
		`key_prefix "` + root(t) + `v1/" { policy = "write" }`,
	}
	rules := []string{
		`service "consul" { policy = "read" }`,
		`node_prefix "" { policy = "read" }`,
		`session_prefix "" { policy = "write" }`,
	}
	try := func(rules []string) (session string, err error) {
		token := east.CreateToken(t, strings.Join(append(rules, keyRules...), "\n"))
		// Tokens and policies reach the other datacenter a little later.
		replicated(t, west, token, root(t))
		c := newClient(t, east, withToken(token), func(c *Config) { c.Datacenter, c.Foreign = "west", true })
		err = c.TryLead(t.Context(), record.Leader{Node: "east-1"}, func(ctx context.Context, term *Term) error {
			session = term.session.id
			return term.publish(ctx, nil, true)
		})
		return session, err
	}
	session, err := try(rules)
	if err != nil {
		t.Fatal(err)
	}
	if session == "" {
		t.Error("led without a session")
	}
	for _, s := range servers {
		pair, _, err := s.Client().KV().Get(root(t)+"v1/head", nil)
		if err != nil || (pair != nil) != (s == west) {
			t.Errorf("published in the wrong datacenter: %v, %v", pair, err)
		}
	}
	for i, rule := range rules {
		_, err := try(append(append([]string{}, rules[:i]...), rules[i+1:]...))
		if !errors.As(err, new(*PermissionError)) || !strings.Contains(err.Error(), rule) {
			t.Errorf("without %s: %v", rule, err)
		}
	}
}

// replicated waits until a server knows a token and its policy.
func replicated(t *testing.T, s *consultest.Server, token, root string) {
	t.Helper()
	c := newClient(t, s, withToken(token))
	eventually(t, "the token is replicated", func() bool {
		_, _, err := c.get(t.Context(), root+"v1/head", 0)
		return err == nil
	})
}

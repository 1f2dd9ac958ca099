package consultest

import (
	"strings"
	"testing"

	"github.com/hashicorp/consul/api"
	"github.com/hashicorp/go-uuid"
)

// CreateToken returns the secret of a new token with these rules alone (HCL, as in `consul acl policy create -rules`). The
// server must run with WithACL. The token outlives a restart of the server.
func (s *Server) CreateToken(t testing.TB, rules string) string {
	t.Helper()
	if s.token == "" {
		t.Fatal("consul: CreateToken needs a server started with WithACL")
	}
	unique, err := uuid.GenerateUUID()
	if err != nil {
		t.Fatalf("consul: %v", err)
	}
	policy, _, err := s.client.ACL().PolicyCreate(&api.ACLPolicy{Name: "test-" + unique, Rules: rules}, nil)
	if err != nil {
		t.Fatalf("consul: policy %q: %v", strings.TrimSpace(rules), err)
	}
	token, _, err := s.client.ACL().TokenCreate(&api.ACLToken{
		Description: t.Name(),
		Policies:    []*api.ACLTokenPolicyLink{{ID: policy.ID}},
	}, nil)
	if err != nil {
		t.Fatalf("consul: token: %v", err)
	}
	return token.SecretID
}

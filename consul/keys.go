package consul

import (
	"fmt"
	"strings"

	"github.com/consul-ocsp/consul-ocsp/plugin/record"
)

// keys are the keys below a root such as "consul-ocsp/".
type keys struct {
	root  string
	leads bool // of an agent that may lead
}

func (k keys) format() string                { return k.root + "v1/format" }
func (k keys) leader() string                { return k.root + "v1/leader" }
func (k keys) head() string                  { return k.root + "v1/head" }
func (k keys) slot(generation uint64) string { return k.root + "v1/log/" + record.Slot(generation) }
func (k keys) ders() string                  { return k.root + "v1/der/" }
func (k keys) der(id string) string          { return k.ders() + id }
func (k keys) metas() string                 { return k.root + "v1/meta/" }
func (k keys) meta(id string) string         { return k.metas() + id }
func (k keys) names() string                 { return k.root + "v1/name/" }
func (k keys) name(job, name string) string  { return k.names() + job + "/" + name }
func (k keys) troubles() string              { return k.root + "v1/trouble/" }
func (k keys) trouble(id string) string      { return k.troubles() + id }
func (k keys) wanteds() string               { return k.root + "v1/wanted/" }
func (k keys) wanted(bucket string) string   { return k.wanteds() + bucket }
func (k keys) certificates() string          { return k.root + "v1/certificate/" }
func (k keys) certificate(id string) string  { return k.certificates() + id }
func (k keys) nodes() string                 { return k.root + "v1/node/" }
func (k keys) node(name string) string       { return k.nodes() + name }
func (k keys) told() string                  { return k.root + "v1/told" }
func (k keys) canaries() string              { return k.root + "v1/canary/" }
func (k keys) canary(job string) string      { return k.canaries() + job }
func (k keys) requests() string              { return k.root + "v1/request/" }
func (k keys) request(id string) string      { return k.requests() + id }
func (k keys) reload() string                { return k.root + "v1/reload" }

// readRule is the ACL rule that lets a token read any of the keys.
func (k keys) readRule() string { return fmt.Sprintf(`key_prefix %q { policy = "read" }`, k.root) }

// writeRule is the ACL rule that lets a token write key: the narrowest that the
// agent's role is given. Requests are not of an agent, but of an operator.
func (k keys) writeRule(key string) string {
	switch {
	case strings.HasPrefix(key, k.requests()):
		return fmt.Sprintf(`key_prefix %q { policy = "write" }`, k.requests())
	case k.leads:
	case strings.HasPrefix(key, k.wanteds()):
		return fmt.Sprintf(`key_prefix %q { policy = "write" }`, k.wanteds())
	case strings.HasPrefix(key, k.certificates()):
		return fmt.Sprintf(`key_prefix %q { policy = "write" }`, k.certificates())
	case strings.HasPrefix(key, k.nodes()), key == k.reload():
		return fmt.Sprintf(`key %q { policy = "write" }`, key)
	}
	return fmt.Sprintf(`key_prefix %q { policy = "write" }`, k.root+"v1/")
}

package plugin

import (
	"testing"

	"github.com/consul-ocsp/consul-ocsp/consul"
	"github.com/consul-ocsp/consul-ocsp/hclconfig"
	"github.com/consul-ocsp/consul-ocsp/plugin/inventory"
)

// Whoever can write to Consul can't have a revoked certificate pass for a canary:
// that is what the job file calls so, and is nothing else besides.
func TestACanaryIsWhatTheJobFileSays(t *testing.T) {
	s := newHearingScene(t)
	s.p.cfg.Jobs = []hclconfig.Job{{Name: "edge", Canary: &hclconfig.Canary{Certificate: "canary"}}}
	ids := map[string]string{}
	for _, name := range []string{"canary", "www", "shared"} {
		id, _, issued := s.issue(name)
		ids[name] = id
		s.h.own = append(s.h.own, inventory.Certificate{ID: id, Job: "edge", Name: name, Leaf: issued.Leaf, Issuer: s.ca.Certificate()})
		if name == "shared" {
			s.h.own = append(s.h.own, inventory.Certificate{ID: id, Job: "edge", Name: "canary", Leaf: issued.Leaf, Issuer: s.ca.Certificate()})
		}
	}
	l := s.h.hear(s.p, "", func() {})
	for _, name := range []string{"canary", "other"} {
		id, c, _ := s.issue("announced-" + name)
		c.Name = name
		l.Take(id, c)
		ids["announced "+name] = id
	}
	l.Changed(consul.Announcements{})
	for name, want := range map[string]bool{"canary": true, "www": false, "shared": false, "announced canary": true, "announced other": false, "unheard of": false} {
		if got := s.h.isCanary(ids[name]); got != want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

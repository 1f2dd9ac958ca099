package plugin

import (
	"fmt"
	"testing"

	"github.com/consul-ocsp/consul-ocsp/consul"
	"github.com/consul-ocsp/consul-ocsp/hclconfig"
	"github.com/consul-ocsp/consul-ocsp/plugin/inventory"
	"github.com/consul-ocsp/consul-ocsp/plugin/record"
	"github.com/consul-ocsp/consul-ocsp/plugin/settings"
	"github.com/consul-ocsp/consul-ocsp/plugin/staple"
)

// Whoever can write to Consul can't have a revoked certificate pass for a canary:
// that is what the job file calls so, and is nothing else besides.
func TestACanaryIsWhatTheJobFileSays(t *testing.T) {
	s := newHearingScene(t)
	s.p.Config.Jobs = []hclconfig.Job{{Name: "edge", Canary: &hclconfig.Canary{Certificate: "canary"}}}
	ids := map[string]string{}
	for _, name := range []string{"canary", "www", "shared"} {
		id, _, issued := s.issue(name)
		ids[name] = id
		s.h.own = append(s.h.own, inventory.Certificate{ID: id, Job: "edge", Name: name, Names: staple.Names(issued.Leaf), Leaf: issued.Leaf, Issuer: s.ca.Certificate()})
		if name == "shared" {
			s.h.own = append(s.h.own, inventory.Certificate{ID: id, Job: "edge", Name: "canary", Names: staple.Names(issued.Leaf), Leaf: issued.Leaf, Issuer: s.ca.Certificate()})
		}
	}
	l := s.h.hear(s.p, "", func() {})
	for what, name := range map[string]string{"announced canary": "canary", "announced other": "other", "announced as canary": "shop"} {
		id, c, _ := s.issue(name)
		if name == "shop" {
			c.Name = "canary"
		}
		l.Take(id, c)
		ids[what] = id
	}
	l.Changed(consul.Announcements{})
	for name, want := range map[string]bool{"canary": true, "www": false, "shared": false, "announced canary": true, "announced other": false, "announced as canary": false, "unheard of": false} {
		if got := s.h.isCanary(ids[name]); got != want {
			t.Errorf("%s: %v", name, got)
		}
	}
	s.p.Config.Announce.Names = true
	if !s.h.isCanary(ids["announced as canary"]) {
		t.Error("nodes that are trusted with names are not")
	}
}

// Records of canaries that no job has are kept nowhere, however many are written and
// removed again.
func TestForeignCanariesAreDropped(t *testing.T) {
	p := &parts{check: make(chan struct{}, 1)}
	p.settings.Store(&settings.Settings{Config: &hclconfig.Config{Jobs: []hclconfig.Job{{Name: "edge", Canary: &hclconfig.Canary{Certificate: "canary"}}, {Name: "web"}}}})
	for i := range 100 {
		p.setCanaries(map[string]record.Canary{"edge": {Job: "edge"}, "web": {Job: "web"}, fmt.Sprint("evil", i): {}})
	}
	if all := p.canary.All(); len(all) != 1 || all["edge"].Job != "edge" {
		t.Errorf("%d are kept", len(all))
	}
}

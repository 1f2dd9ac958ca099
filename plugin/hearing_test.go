package plugin

import (
	"slices"
	"strings"
	"testing"

	"github.com/hashicorp/go-hclog"

	"github.com/consul-ocsp/consul-ocsp/consul"
	"github.com/consul-ocsp/consul-ocsp/hclconfig"
	"github.com/consul-ocsp/consul-ocsp/plugin/inventory"
	"github.com/consul-ocsp/consul-ocsp/plugin/record"
	"github.com/consul-ocsp/consul-ocsp/plugin/settings"
	"github.com/consul-ocsp/consul-ocsp/plugin/staple"
	"github.com/consul-ocsp/consul-ocsp/plugin/testca"
	"github.com/consul-ocsp/consul-ocsp/plugin/testca/testcatest"
)

// hearingScene is a CA, and a holding that hears of its certificates.
type hearingScene struct {
	t  *testing.T
	ca *testca.CA
	p  *settings.Settings
	h  *holding
}

func newHearingScene(t *testing.T) *hearingScene {
	t.Helper()
	ca := testcatest.Init(t, testca.InitOptions{})
	p := &settings.Settings{Config: &hclconfig.Config{}}
	return &hearingScene{t: t, ca: ca, p: p, h: &holding{logger: hclog.NewNullLogger(), settings: p}}
}

func (s *hearingScene) issue(name string) (string, record.Certificate, *testca.Issued) {
	s.t.Helper()
	c := testcatest.Issue(s.t, s.ca, testca.IssueOptions{}, name+".example.com")
	r := record.Certificate{Leaf: c.Leaf.Raw, Issuer: s.ca.Certificate().Raw, Job: "edge", Name: name}
	return r.ID(), r, c
}

// names are those of the targets.
func (s *hearingScene) names() string {
	var names []string
	for t := range s.h.targets() {
		names = append(names, t.Name)
	}
	slices.Sort(names)
	return strings.Join(names, " ")
}

// What two datacenters announce is held once; what one of them no longer does,
// until the other does not either. A new term takes the place of the one before
// when all was told, not earlier.
func TestHearingOfSeveralDatacenters(t *testing.T) {
	s := newHearingScene(t)
	idA, a, _ := s.issue("a")
	idB, b, _ := s.issue("b")
	changes := 0
	here, there := s.h.hear(s.p, "", func() { changes++ }), s.h.hear(s.p, "dc2", func() { changes++ })
	here.Take(idA, a)
	if s.names() != "" {
		t.Error("a part was taken for all")
	}
	here.Changed(consul.Announcements{})
	there.Take(idA, a)
	there.Take(idB, b)
	there.Changed(consul.Announcements{})
	if got := s.names(); got != "a b" || changes != 2 || !s.h.has(idA) || !s.h.has(idB) {
		t.Errorf("%s after %d changes", got, changes)
	}
	there.Changed(consul.Announcements{Gone: []string{idA, idB}})
	if got := s.names(); got != "a" {
		t.Errorf("%s", got)
	}
	again := s.h.hear(s.p, "", func() {})
	again.Take(idB, b)
	if got := s.names(); got != "a" {
		t.Errorf("%s, before all was told", got)
	}
	again.Changed(consul.Announcements{})
	if got := s.names(); got != "b" || s.h.has(idA) {
		t.Errorf("%s", got)
	}
	if target, ok := s.h.target(idB); !ok || target.Name != "b" || !target.Announced {
		t.Errorf("%+v", target)
	}
}

// The agent's own certificate counts before what was announced, and what is
// refused is told with its reason.
func TestHearingOfWhatIsOursOrFalse(t *testing.T) {
	s := newHearingScene(t)
	id, ours, issued := s.issue("ours")
	s.h.own = []inventory.Certificate{{ID: id, Job: "edge", Name: "mine", Leaf: issued.Leaf, Issuer: s.ca.Certificate()}}
	other := testcatest.Init(t, testca.InitOptions{Name: "another CA"})
	badID, bad, _ := s.issue("bad")
	bad.Issuer = other.Certificate().Raw
	l := s.h.hear(s.p, "", func() {})
	l.Take(id, ours)
	l.Take(badID, bad)
	l.Changed(consul.Announcements{Refused: map[string]string{strings.Repeat("0", 64): "no record"}, Ignored: 3})
	if got := s.names(); got != "mine" {
		t.Errorf("%s", got)
	}
	if target, ok := s.h.target(id); !ok || target.Name != "mine" || staple.ID(target.Leaf) != id {
		t.Errorf("%+v", target)
	}
	troubles, n := s.h.announcementTroubles()
	if n != 3 || len(troubles) != 3 || troubles[0].Reason != reasonAnnounceMax || troubles[1].Error != "no record" && troubles[2].Error != "no record" {
		t.Errorf("%d: %+v", n, troubles)
	}
	if i := slices.IndexFunc(troubles, func(n record.NodeTrouble) bool { return n.ID == badID }); i < 0 || troubles[i].Name != "bad" || !strings.Contains(troubles[i].Error, "issued by") {
		t.Errorf("%+v", troubles)
	}
}

// A datacenter in which somebody else leads is not listened to: what was announced
// there is let go of, unless it was announced elsewhere, too.
func TestWhereSomebodyElseLeadsNothingIsHeld(t *testing.T) {
	s := newHearingScene(t)
	idA, a, _ := s.issue("a")
	idB, b, _ := s.issue("b")
	here, there := s.h.hear(s.p, "", func() {}), s.h.hear(s.p, "dc2", func() {})
	here.Take(idA, a)
	here.Changed(consul.Announcements{})
	there.Take(idA, a)
	there.Take(idB, b)
	there.Changed(consul.Announcements{})
	if !s.h.forget("dc2") || s.h.forget("dc2") {
		t.Error("forgotten is not what was held")
	}
	if got := s.names(); got != "a" {
		t.Errorf("%s", got)
	}
	s.h.forgetAll()
	if got := s.names(); got != "" {
		t.Errorf("%s, by an agent that does not lead", got)
	}
}

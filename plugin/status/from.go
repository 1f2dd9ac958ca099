package status

import (
	"cmp"
	"crypto/x509"
	"slices"
	"time"

	"github.com/consul-ocsp/consul-ocsp/plugin/record"
)

// FromSnapshot is the report of a cluster at the time now. A nil snapshot is an
// empty one.
func FromSnapshot(s *record.Snapshot, now time.Time) *Report {
	if s == nil {
		s = &record.Snapshot{}
	}
	r := newReport(SourceConsul, now)
	r.RecordsFormat = s.Format
	r.Generation = s.Generation
	if s.Leader != nil {
		r.Leader = &Leader{Node: clean(s.Leader.Node), Version: clean(s.Leader.Version), Since: utc(s.Leader.Since)}
	}
	r.addStaples(s.Metas, s.Troubles)
	r.addWaiting(s.Waiting)
	r.addNodes(s.Nodes)
	for key, why := range s.Unreadable {
		r.Unreadable = append(r.Unreadable, Unreadable{Key: clean(key), Error: clean(why)})
	}
	r.SetCanaries(s.Canaries)
	return r
}

// FromStore is the report of a data_dir at the time now. lacking are
// certificates of which nothing is known though something should be. Its one
// node is what the agent kept there of itself; nil for none.
func FromStore(metas map[string]record.Meta, troubles map[string]record.Trouble, lacking map[string]record.Certificate, node *record.Node, now time.Time) *Report {
	r := newReport(SourceDataDir, now)
	r.addStaples(metas, troubles)
	for id, c := range lacking {
		if leaf, err := x509.ParseCertificate(c.Leaf); err == nil {
			r.addMissing(id, c, leaf, "nothing was fetched for it yet, and nothing failed")
		}
	}
	if node != nil {
		r.addNodes(map[string]record.Node{node.Node: *node})
	}
	r.sort()
	return r
}

func newReport(source string, now time.Time) *Report {
	return &Report{
		Format:     Format,
		Now:        now.UTC().Truncate(time.Second),
		Source:     source,
		Staples:    []Staple{},
		Nodes:      []Node{},
		Canaries:   []Canary{},
		Unreadable: []Unreadable{},
	}
}

func (r *Report) sort() {
	slices.SortFunc(r.Staples, func(a, b Staple) int {
		return cmp.Or(
			cmp.Compare(a.urgency(), b.urgency()),
			a.Until.Compare(b.Until), // without a response: first
			cmp.Compare(a.label(), b.label()),
			cmp.Compare(a.ID, b.ID),
		)
	})
	slices.SortFunc(r.Nodes, func(a, b Node) int {
		return cmp.Or(
			-compareBool(a.State != OK, b.State != OK),
			cmp.Compare(a.Node, b.Node),
		)
	})
	slices.SortFunc(r.Unreadable, func(a, b Unreadable) int { return cmp.Compare(a.Key, b.Key) })
}

// urgency is 0 for what fails and must be stapled, then 1 for what fails, 2 for
// what must be stapled, 3.
func (s Staple) urgency() int {
	u := 0
	if s.State == OK || s.State == Planned {
		u += 2
	}
	if !s.MustStaple {
		u++
	}
	return u
}

func compareBool(a, b bool) int {
	switch {
	case a == b:
		return 0
	case a:
		return 1
	}
	return -1
}

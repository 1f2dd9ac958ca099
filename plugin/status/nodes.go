package status

import (
	"bytes"
	"maps"
	"net/url"
	"slices"
	"time"

	"github.com/consul-ocsp/consul-ocsp/plugin/record"
)

// silence is how long a node may say nothing before it counts as stale, and how
// far its clock may be ahead. A node writes its record twice in that time.
const silence = 5 * time.Minute

func (r *Report) addNodes(nodes map[string]record.Node) {
	// By what the records of nodes with many certificates have of an id.
	index := make(map[string]int, len(r.Staples))
	for i, s := range r.Staples {
		index[prefix(s.ID)] = i
	}
	r.Columns = slices.Sorted(maps.Keys(index))
	column := make(map[string]int, len(r.Columns))
	for i, id := range r.Columns {
		column[id] = i
	}
	must := func(id string) bool {
		i, known := index[prefix(id)]
		return known && r.Staples[i].MustStaple
	}
	for _, n := range nodes {
		for _, t := range n.Trouble {
			if i, known := index[prefix(t.ID)]; known && t.Reason == waiting {
				r.Staples[i].waitsSince(utc(t.Since))
			}
		}
		current, older := 0, 0
		applied := bytes.Repeat([]byte{Unsaid}, len(r.Columns))
		delivered := func(id string) bool {
			c, known := column[prefix(id)]
			return known && applied[c] != Unsaid
		}
		for _, a := range n.Applied {
			id := prefix(a.ID)
			i, known := index[id]
			if !known || delivered(id) {
				continue
			}
			if a.ThisUpdate.Before(r.Staples[i].ThisUpdate.Truncate(time.Second)) {
				r.Staples[i].NodesOlder++
				older++
				applied[column[id]] = Older
			} else {
				r.Staples[i].NodesCurrent++
				current++
				applied[column[id]] = Current
			}
		}
		node := r.node(n, delivered, must)
		node.Current, node.Older, node.Applied = current, older, string(applied)
		r.Nodes = append(r.Nodes, node)
	}
}

// waitsSince notes since when a node has nothing to deliver for the certificate;
// the first counts. It is left alone where fetching fails, which says more.
func (s *Staple) waitsSince(t time.Time) {
	if s.Reason == waiting && !t.IsZero() && (s.Since.IsZero() || t.Before(s.Since)) {
		s.Since = t
	}
}

func prefix(id string) string { return id[:min(len(id), record.IDPrefix)] }

func (r *Report) node(n record.Node, delivered, must func(id string) bool) Node {
	node := Node{
		Node:         clean(n.Node),
		Version:      clean(n.Version),
		Roles:        cleanAll(n.Roles),
		Seen:         utc(n.Seen),
		Started:      utc(n.Started),
		Certificates: n.Certificates,
		Stapled:      n.Stapled,
		TroubleCount: max(n.Troubles, len(n.Trouble)),
		Troubles:     []NodeTrouble{},
		Page:         pageURL(n.Page),
		AppliedCut:   len(n.Applied) >= record.MaxApplied,
	}
	for _, t := range n.Trouble[:min(len(n.Trouble), record.MaxNodeTrouble)] {
		node.Troubles = append(node.Troubles, NodeTrouble{
			ID:         clean(t.ID),
			Job:        clean(t.Job),
			Name:       clean(t.Name),
			Target:     clean(t.Target),
			Reason:     clean(t.Reason),
			Error:      clean(t.Error),
			Since:      utc(t.Since),
			MustStaple: must(t.ID) && !delivered(t.ID) && !node.AppliedCut,
		})
	}
	node.State = r.nodeState(node)
	return node
}

// pageURL is what a record says is the address of a page, if it is one: it
// becomes a link.
func pageURL(s string) string {
	u, err := url.Parse(s)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" || clean(s) != s {
		return ""
	}
	if page := (&url.URL{Scheme: u.Scheme, Host: u.Host, Path: "/"}); page.String() == s {
		return s
	}
	return ""
}

func (r *Report) nodeState(n Node) string {
	switch age := r.Now.Sub(n.Seen); {
	case age > silence:
		return Stale
	case age < -silence:
		return Clock
	case n.TroubleCount > 0:
		return Trouble
	}
	return OK
}

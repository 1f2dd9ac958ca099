package status

import (
	"fmt"
	"strings"
	"time"
)

func (r *Report) stapleTable(o TableOptions) *table {
	t := &table{head: []string{"CERTIFICATE", "STATE", "LEFT", "ENDS", "MUST"}, state: 1, flexible: []int{0}}
	wide := o.Width == 0 || o.Width >= wideWidth
	if r.Source == SourceConsul {
		t.head = append(t.head, "NODES")
	}
	if wide {
		t.head = append(t.head, "HOSTS")
		// Host names give way before the names by which people know them.
		t.flexible = []int{len(t.head) - 1, 0}
	}
	for _, s := range r.Staples {
		cells := []string{s.label(), s.State, "", "", ""}
		if !s.Until.IsZero() {
			cells[2], cells[3] = s.leftCell(), s.Until.In(o.Local).Format(time.RFC3339)
		}
		if s.MustStaple {
			cells[4] = "yes"
		}
		if r.Source == SourceConsul {
			cells = append(cells, s.nodesCell())
		}
		if wide {
			cells = append(cells, cut(strings.Join(s.Names, " "), maxHosts))
		}
		t.rows = append(t.rows, row{cells: cells, notes: s.notes(o)})
	}
	return t
}

func (s Staple) leftCell() string {
	if s.SecondsLeft <= 0 {
		return "     " + span(s.left())
	}
	return fmt.Sprintf("%4s %s", percent(s.LifeLeft), span(s.left()))
}

// nodesCell is "3", or "2/3" if one of three delivers an older response.
func (s Staple) nodesCell() string {
	if s.NodesOlder == 0 {
		return fmt.Sprint(s.NodesCurrent)
	}
	return fmt.Sprintf("%d/%d", s.NodesCurrent, s.NodesCurrent+s.NodesOlder)
}

func (s Staple) notes(o TableOptions) []string {
	var notes []string
	if len(s.Unstaplable) > 0 {
		notes = append(notes, "HAProxy can't staple it: "+strings.Join(s.Unstaplable, ", "))
	}
	if s.State == Revoked && !s.RevokedAt.IsZero() {
		notes = append(notes, "revoked at "+s.RevokedAt.In(o.Local).Format(time.RFC3339)+s.revocationNote())
	}
	if s.Reason != "" {
		notes = append(notes, s.failure()+since(s.Since, o.Local))
		if s.Error != "" && s.Error != s.Reason {
			notes = append(notes, strings.TrimPrefix(s.Error, s.Reason+": "))
		}
	}
	return notes
}

// maxNamed is how many certificates are named that are in the same trouble.
const maxNamed = 3

// notes are what is wrong there. What is the same for many is said once.
func (n Node) notes(o TableOptions) []string {
	type kind struct{ target, reason string }
	var order []kind
	groups := map[kind][]NodeTrouble{}
	for _, t := range n.Troubles {
		k := kind{t.Target, t.Reason}
		if groups[k] == nil {
			order = append(order, k)
		}
		groups[k] = append(groups[k], t)
	}
	var notes []string
	for _, k := range order {
		group := groups[k]
		if len(group) <= maxNamed {
			for _, t := range group {
				notes = append(notes, t.label()+since(t.Since, o.Local)+": "+t.text())
			}
			continue
		}
		first := group[0]
		var names []string
		for _, t := range group[:maxNamed] {
			names = append(names, t.label())
			if t.Since.Before(first.Since) {
				first.Since = t.Since
			}
		}
		notes = append(notes, fmt.Sprintf("%d certificates%s: %s", len(group), since(first.Since, o.Local), first.text()),
			"  "+strings.Join(names, ", ")+" and others")
	}
	return notes
}

func (r *Report) nodeTable(o TableOptions) *table {
	t := &table{head: []string{"NODE", "STATE", "SEEN", "STAPLED", "ROLES", "VERSION"}, state: 1, flexible: []int{5, 4, 0}}
	for _, n := range r.Nodes {
		seen := "never"
		if !n.Seen.IsZero() {
			seen = span(max(0, r.Now.Sub(n.Seen))) + " ago"
			if n.Seen.Sub(r.Now) >= time.Second { // else it was written this moment
				seen = "in " + span(n.Seen.Sub(r.Now))
			}
		}
		notes := n.notes(o)
		if more := n.TroubleCount - len(n.Troubles); more > 0 {
			notes = append(notes, fmt.Sprintf("and %d more", more))
		}
		t.rows = append(t.rows, row{
			cells: []string{n.Node, n.State, seen, fmt.Sprintf("%d/%d", n.Stapled, n.Certificates), strings.Join(n.Roles, ","), n.Version},
			notes: notes,
		})
	}
	return t
}

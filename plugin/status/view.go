package status

import (
	"bytes"
	"slices"
	"sync"
	"time"
)

// view is a report and what is shown of it, made when somebody first asks.
type view struct {
	report *Report

	whole, perNode sync.Once
	wholeBlob      *blob
	perNodeBlob    *blob
}

// status is the report as `status -json` prints it.
func (v *view) status() *blob {
	v.whole.Do(func() {
		var b bytes.Buffer
		if err := v.report.WriteJSON(&b); err != nil {
			v.wholeBlob = encoded(struct {
				Error string `json:"error"`
			}{clean(err.Error())})
			return
		}
		v.wholeBlob = &blob{plain: b.Bytes()}
	})
	return v.wholeBlob
}

// head is what begins each answer.
type head struct {
	Format int       `json:"format"`
	Now    time.Time `json:"now"`
	Source string    `json:"source"`
	Error  string    `json:"error,omitempty"`
}

func (v *view) head() head {
	r := v.report
	return head{Format: r.Format, Now: r.Now, Source: r.Source, Error: r.Error}
}

// listedNode is a node with what it delivers.
type listedNode struct {
	Node
	Applied string `json:"applied"`
}

// nodes is the answer of /v1/nodes: every node, in the order of the report. What
// it delivers is a character for each of the certificates, so that hundreds of
// nodes with thousands of certificates make some megabytes that compress well.
func (v *view) nodes() *blob {
	v.perNode.Do(func() {
		list := make([]listedNode, 0, len(v.report.Nodes))
		for _, n := range v.report.Nodes {
			list = append(list, listedNode{Node: n, Applied: n.Applied})
		}
		v.perNodeBlob = encoded(struct {
			head
			Certificates []string     `json:"certificates"`
			Nodes        []listedNode `json:"nodes"`
		}{v.head(), append([]string{}, v.report.Columns...), list})
	})
	return v.perNodeBlob
}

// responders is the answer of /v1/responders: who leads, if not the agent that
// answers, and what that agent knows.
func (v *view) responders(ask func() Asking) *blob {
	asking := Asking{Responders: []Responder{}}
	if ask != nil {
		asking = ask()
	}
	asking.Node = clean(asking.Node)
	return encoded(struct {
		head
		Leader *Leader `json:"leader"`
		Asking
	}{v.head(), v.report.Leader, asking})
}

// oneStaple is the answer of /v1/staples/<id>.
type oneStaple struct {
	head
	Staple Staple `json:"staple"`
	// Responders are the hosts that are asked for it; empty where the agent that
	// answers has not the certificate.
	Responders []string `json:"responders"`
	// AskedAt is when they were asked last, AskedNext when they are asked again;
	// absent where the agent that answers does not ask them.
	AskedAt   time.Time `json:"asked_at,omitzero"`
	AskedNext time.Time `json:"asked_next,omitzero"`
	// Verification is how the agent that answers judges the response that it has.
	Verification Verification `json:"verification"`
	// Nodes are those that say that they deliver a response for it, or what
	// keeps them from it.
	Nodes []stapleNode `json:"nodes"`
}

// stapleNode is what a node says of one certificate.
type stapleNode struct {
	Node string `json:"node"`
	// State is the node's.
	State string    `json:"state"`
	Seen  time.Time `json:"seen,omitzero"`
	// Delivers is "current" for the response that is shown or a newer one, "older"
	// for an older one, and empty where the node says nothing of it.
	Delivers string        `json:"delivers"`
	Troubles []NodeTrouble `json:"troubles"`
}

func (v *view) staple(id string) (oneStaple, bool) {
	for _, s := range v.report.Staples {
		if s.ID == id {
			return oneStaple{head: v.head(), Staple: s, Nodes: v.nodesOf(s)}, true
		}
	}
	return oneStaple{}, false
}

func (v *view) nodesOf(s Staple) []stapleNode {
	list := []stapleNode{}
	column, listed := slices.BinarySearch(v.report.Columns, prefix(s.ID))
	for _, n := range v.report.Nodes {
		one := stapleNode{Node: n.Node, State: n.State, Seen: n.Seen, Troubles: []NodeTrouble{}}
		if listed {
			one.Delivers = map[byte]string{Current: "current", Older: "older"}[n.Applied[column]]
		}
		for _, t := range n.Troubles {
			if t.ID == s.ID {
				one.Troubles = append(one.Troubles, t)
			}
		}
		if one.Delivers != "" || len(one.Troubles) > 0 {
			list = append(list, one)
		}
	}
	return list
}

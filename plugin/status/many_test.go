package status

import (
	"fmt"
	"testing"
	"time"

	"github.com/consul-ocsp/consul-ocsp/plugin/record"
)

// Of nodes with many certificates, as of others, each certificate is counted.
func TestNodesWithManyCertificates(t *testing.T) {
	const n, behind, missing = 10_000, 30, 20
	s := record.Snapshot{Metas: map[string]record.Meta{}, Nodes: map[string]record.Node{}}
	node := record.Node{Node: "web-1", Seen: noon, Certificates: n}
	for i := range n {
		id := record.Checksum(fmt.Append(nil, i))
		s.Metas[id] = record.Meta{Status: "good", ThisUpdate: noon.Add(-time.Hour), NextUpdate: noon.Add(time.Hour), Until: noon.Add(time.Hour)}
		a := record.Applied{ID: id, ThisUpdate: noon.Add(-time.Hour)}
		if i < behind {
			a.ThisUpdate = noon.Add(-2 * time.Hour)
		}
		if i < n-missing {
			node.Applied = append(node.Applied, a)
		}
	}
	text, err := node.Encode()
	if err != nil {
		t.Fatal(err)
	}
	if s.Nodes["web-1"], err = record.DecodeNode("web-1", text); err != nil {
		t.Fatal(err)
	}
	r := FromSnapshot(&s, noon)
	if got := r.Nodes[0]; got.Current != n-behind-missing || got.Older != behind || got.AppliedCut {
		t.Errorf("%+v", got)
	}
	current, older := 0, 0
	for _, st := range r.Staples {
		current, older = current+st.NodesCurrent, older+st.NodesOlder
	}
	if current != n-behind-missing || older != behind {
		t.Errorf("%d current, %d older", current, older)
	}
}

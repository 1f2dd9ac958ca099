package record

import (
	"fmt"
	"slices"
	"time"
)

// Node is v1/node/<node>: what a node says of itself.
type Node struct {
	Format int    `json:"format"`
	Node   string `json:"node"`
	// Instance tells two agents of one name apart; it is made once for a
	// data_dir and kept there.
	Instance string   `json:"instance"`
	Version  string   `json:"version"`
	Roles    []string `json:"roles"`
	// Seen is when the record was written, Started when the agent was.
	Seen    time.Time `json:"seen"`
	Started time.Time `json:"started"`
	// Certificates counts the files of the node's jobs, Stapled those with a
	// verified response that has not ended.
	Certificates int `json:"certificates"`
	Stapled      int `json:"stapled"`
	// Troubles counts what is wrong; Trouble names the first of them.
	Troubles int           `json:"troubles"`
	Trouble  []NodeTrouble `json:"trouble,omitempty"`
	// Page is the URL of the agent's page, where others can reach it.
	Page string `json:"page,omitempty"`
	// Applied says what is delivered of each certificate.
	Applied []Applied `json:"applied,omitempty"`
	// Delivers is Applied where that is long, as the record has it; see
	// packApplied. It is only set between Encode and DecodeNode.
	Delivers []byte `json:"delivers,omitempty"`
	// Lately says of the latest responses since when they are in place; nothing
	// where no history is kept. Latest is the same as the record has it, set
	// between Encode and DecodeNode alone.
	Lately []Lately `json:"-"`
	Latest []byte   `json:"latest,omitempty"`
	// Canaries are those that the node watches, however far it came with each.
	Canaries []NodeCanary `json:"canaries,omitempty"`
}

// NodeTrouble is one thing wrong on a node.
type NodeTrouble struct {
	ID     string    `json:"id,omitempty"`
	Job    string    `json:"job,omitempty"`
	Name   string    `json:"name,omitempty"`
	Target string    `json:"target,omitempty"`
	Reason string    `json:"reason"`
	Error  string    `json:"error"`
	Since  time.Time `json:"since"`
}

// Applied is the response that a node delivers for one certificate. Of a node
// with more than listApplied certificates, ID has the first IDPrefix digits only,
// ThisUpdate whole seconds, and the rest is empty.
type Applied struct {
	ID         string    `json:"id"`
	Job        string    `json:"job"`
	Name       string    `json:"name"`
	ThisUpdate time.Time `json:"this_update"`
	Status     string    `json:"status"`
}

const (
	// MaxNodeTrouble and MaxApplied bound the lists of a Node, so that its
	// record stays below Consul's limit with any number of certificates.
	MaxNodeTrouble = 20
	MaxApplied     = 30_000
	// listApplied is how many are written out with their names.
	listApplied = 200
	maxNode     = 512 << 10
)

// Encode is the JSON of n in this agent's format, its lists cut to their
// bounds.
func (n Node) Encode() ([]byte, error) {
	n.Format = Format
	n.Seen, n.Started = n.Seen.UTC(), n.Started.UTC()
	if len(n.Trouble) > MaxNodeTrouble {
		n.Trouble = n.Trouble[:MaxNodeTrouble]
	}
	n.Canaries = slices.Clone(n.Canaries[:min(len(n.Canaries), maxNodeCanaries)])
	for i := range n.Canaries {
		n.Canaries[i].CanaryNode = n.Canaries[i].bounded()
	}
	n.Delivers = nil
	if len(n.Applied) > listApplied {
		n.Delivers, n.Applied = packApplied(n.Applied), nil
	}
	n.Latest = packLately(n.Lately)
	return encode("node", n)
}

// DecodeNode reads the record of the node of this name; an empty name stands
// for whichever it is of.
func DecodeNode(name string, b []byte) (Node, error) {
	var n Node
	if err := decode("node", b, maxNode, &n); err != nil {
		return Node{}, err
	}
	if name != "" && n.Node != name {
		return Node{}, fmt.Errorf("node record %.80q: it says that it is %.80q", name, n.Node)
	}
	n.Applied = append(n.Applied, unpackApplied(n.Delivers)...)
	n.Applied, n.Delivers = n.Applied[:min(len(n.Applied), MaxApplied)], nil
	n.Lately, n.Latest = unpackLately(n.Latest), nil
	n.Canaries = n.Canaries[:min(len(n.Canaries), maxNodeCanaries)]
	for i := range n.Canaries {
		n.Canaries[i].CanaryNode = n.Canaries[i].bounded()
	}
	return n, nil
}

// ValidName reports whether s can name a node, a job or a certificate in a
// key: 1 to 200 of the characters A-Z a-z 0-9 . _ -, not "." or "..".
func ValidName(s string) bool {
	if s == "" || len(s) > 200 || s == "." || s == ".." {
		return false
	}
	for i := 0; i < len(s); i++ {
		c := s[i]
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', c == '.', c == '_', c == '-':
		default:
			return false
		}
	}
	return true
}

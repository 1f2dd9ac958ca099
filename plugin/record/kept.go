package record

import (
	"cmp"
	"fmt"
	"slices"
	"time"
)

// Kept is what data_dir notes beside a response that it keeps as evidence: only
// what the response does not say itself, so that nothing here has to be believed
// of it.
type Kept struct {
	Format int `json:"format"`
	// Kept is when this agent had verified the response and kept it.
	Kept time.Time `json:"kept"`
	// Published is when the leader wrote it to Consul; zero where that is not
	// known.
	Published time.Time `json:"published,omitzero"`
	// Responder is the URL that gave it.
	Responder string `json:"responder,omitempty"`
	// Job and Name say where the certificate was configured.
	Job  string `json:"job,omitempty"`
	Name string `json:"name,omitempty"`
	// Stapled is where it was in place, in no order.
	Stapled []Stapled `json:"stapled,omitempty"`
}

// Stapled says that a response was in place somewhere.
type Stapled struct {
	Node       string `json:"node"`
	Datacenter string `json:"datacenter,omitempty"`
	// At is since when, by the clock of Node; for HowFound and HowSeen since then
	// at the latest.
	At time.Time `json:"at"`
	// After, if set, is when it was not yet so.
	After time.Time `json:"after,omitzero"`
	// How is one of the words below, or how a target got it.
	How string `json:"how"`
	// Target is the file or the server; empty for a node as a whole.
	Target string `json:"target,omitempty"`
}

// What Stapled.How says besides how a target got a response.
const (
	HowFile  = "file"  // the file was written
	HowFound = "found" // it was there when the agent first looked
	HowTold  = "told"  // the node told when all its files and servers had it
	HowSeen  = "seen"  // the node's record showed it
)

const (
	// MaxStapled bounds the places that are noted of one response.
	MaxStapled = 4096
	maxKept    = 2 << 20
)

// place is what there is one Stapled for.
func (s Stapled) place() [3]string { return [3]string{s.Node, s.Datacenter, s.Target} }

// Note adds a place, and reports whether it was news. What was noted first
// stays, since that is when it got there; only what a node told replaces what
// others saw of it.
func (k *Kept) Note(s Stapled) bool {
	s.At, s.After = s.At.UTC(), s.After.UTC()
	for i, old := range k.Stapled {
		if old.place() != s.place() {
			continue
		}
		if old.How == HowSeen && s.How == HowTold {
			k.Stapled[i] = s
			return true
		}
		return false
	}
	if len(k.Stapled) >= MaxStapled || s.At.IsZero() {
		return false
	}
	k.Stapled = append(k.Stapled, s)
	return true
}

// Sorted are the places, first those that had it first.
func (k *Kept) Sorted() []Stapled {
	list := slices.Clone(k.Stapled)
	slices.SortFunc(list, func(a, b Stapled) int {
		return cmp.Or(a.At.Compare(b.At), cmp.Compare(a.Datacenter, b.Datacenter), cmp.Compare(a.Node, b.Node), cmp.Compare(a.Target, b.Target))
	})
	return list
}

// Encode is the JSON of k in this agent's format.
func (k Kept) Encode() ([]byte, error) {
	k.Format = Format
	k.Kept, k.Published = k.Kept.UTC(), k.Published.UTC()
	return encode("history", k)
}

// DecodeKept reads what Encode wrote. It refuses what could not have come from
// there.
func DecodeKept(b []byte) (Kept, error) {
	var k Kept
	if err := decode("history", b, maxKept, &k); err != nil {
		return Kept{}, err
	}
	if len(k.Stapled) > MaxStapled {
		return Kept{}, fmt.Errorf("history record: %d places; there are %d at most", len(k.Stapled), MaxStapled)
	}
	for _, s := range k.Stapled {
		if s.Node == "" || s.At.IsZero() || s.How == "" {
			return Kept{}, fmt.Errorf("history record: a place without node, time or way")
		}
	}
	return k, nil
}

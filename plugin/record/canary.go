package record

import (
	"fmt"
	"slices"
	"time"
)

// Canary is v1/canary/<job>: what is known of the job's canary, a certificate
// that is revoked and renewed on schedule. The leader writes it, so that the next
// one goes on where the last one ended.
type Canary struct {
	Format int `json:"format"`
	// Job and Name say which certificate it is.
	Job  string `json:"job"`
	Name string `json:"name"`
	// Round is the one that goes on, or the last; its Started is zero before the
	// first. Last is the one before that.
	Round CanaryRound  `json:"round"`
	Last  *CanaryRound `json:"last,omitempty"`
	// Due is when the next round should begin; zero before the first.
	Due time.Time `json:"due,omitzero"`
	// Success is when a round last ended of which nothing failed.
	Success time.Time `json:"success,omitzero"`
	// Unready is why no round could begin when one was due; nil once one has begun.
	Unready *CanaryFailure `json:"unready,omitempty"`
	// Failures counts what failed, by reason.
	Failures map[string]uint64 `json:"failures,omitempty"`
	// Replaced are certificates that were canaries and that others have replaced:
	// the first IDPrefix digits of each id, the newest last.
	Replaced []string `json:"replaced,omitempty"`
}

// The phases of a round.
const (
	CanaryRevoking = "revoking" // revoke was begun, perhaps
	CanaryRevoked  = "revoked"  // it is waited until clients see it
	CanaryRenewing = "renewing" // renew is tried
	CanaryRenewed  = "renewed"  // it is waited until clients see a good one
	CanaryEnded    = "ended"
)

// CanaryRound is one time that a canary was revoked.
type CanaryRound struct {
	// Started is when revoke was begun, by the leader's clock; it tells the round
	// from others. What is measured counts from here.
	Started time.Time `json:"started,omitzero"`
	Phase   string    `json:"phase,omitempty"`
	// Until is to when the phase may last: after it a revoked canary is not meant.
	Until time.Time `json:"until,omitzero"`
	// ID is the certificate that is revoked.
	ID string `json:"id,omitempty"`
	// Published is when the leader had a response that says so in Consul, Renewed
	// when the renew that worked was begun, Ended when the round was over.
	Published time.Time `json:"published,omitzero"`
	Renewed   time.Time `json:"renewed,omitzero"`
	Ended     time.Time `json:"ended,omitzero"`
	// Nodes are those that had the certificate when the round began.
	Nodes map[string]CanaryNode `json:"nodes,omitempty"`
	// Failures are what went wrong, in order.
	Failures []CanaryFailure `json:"failures,omitempty"`
}

// CanaryNode is how far a node came in a round, by its own clock; zero where it
// has not come so far.
type CanaryNode struct {
	// Applied is when all files and servers were given the revoked response.
	Applied time.Time `json:"applied,omitzero"`
	// Seen is when a client was first shown it, Good when one was shown a good
	// response afterwards.
	Seen time.Time `json:"seen,omitzero"`
	Good time.Time `json:"good,omitzero"`
	// Error is why it is not further.
	Error string `json:"error,omitempty"`
}

// CanaryFailure is one thing that went wrong.
type CanaryFailure struct {
	Reason string    `json:"reason"`
	Error  string    `json:"error"`
	At     time.Time `json:"at"`
}

// NodeCanary is what a node says of a canary in its record.
type NodeCanary struct {
	Job string `json:"job"`
	// ID is the certificate that the node has for it, empty for none.
	ID string `json:"id,omitempty"`
	// Round is the Started of the round that the rest is of.
	Round time.Time `json:"round,omitzero"`
	CanaryNode
}

const (
	// MaxCanaryNodes bounds the nodes of a round, so that a record stays below
	// Consul's limit for a transaction.
	MaxCanaryNodes = 500
	// MaxReplaced bounds Canary.Replaced.
	MaxReplaced = 3000
	// maxNodeCanaries bounds the canaries of one node.
	maxNodeCanaries = 20
	// maxCanaryError bounds a node's text, maxCanaryFailures a round's list.
	maxCanaryError    = 200
	maxCanaryFailures = 20
	maxCanary         = 512 << 10
	// mostCanary is what is written: in base64 it is below Consul's limit for a
	// transaction.
	mostCanary = 360 << 10
)

// Active reports whether the round goes on.
func (r CanaryRound) Active() bool { return !r.Started.IsZero() && r.Phase != CanaryEnded }

// Planned reports whether the certificate is the canary of a round that goes on,
// and may be revoked now.
func (c Canary) Planned(id string, now time.Time) bool {
	return c.Round.Active() && id == c.Round.ID && now.Before(c.Round.Until)
}

// WasReplaced reports whether the certificate was a canary and another has taken
// its place.
func (c Canary) WasReplaced(id string) bool {
	return len(id) >= IDPrefix && slices.Contains(c.Replaced, id[:IDPrefix])
}

// Encode is the JSON of c in this agent's format, its lists cut to their bounds.
func (c Canary) Encode() ([]byte, error) {
	c.Format = Format
	c.Due, c.Success = c.Due.UTC(), c.Success.UTC()
	c.bound()
	b, err := encode("canary", c)
	if err == nil && len(b) > mostCanary {
		// Five hundred nodes with long names and much to say: the figures stay.
		c.Round = c.Round.wordless()
		if c.Last != nil {
			last := c.Last.wordless()
			c.Last = &last
		}
		if b, err = encode("canary", c); err == nil && len(b) > mostCanary {
			c.Last = nil
			b, err = encode("canary", c)
		}
	}
	return b, err
}

// bound cuts lists and texts to their bounds: one that is read may be anybody's.
func (c *Canary) bound() {
	c.Round = c.Round.bounded()
	if c.Last != nil {
		last := c.Last.bounded()
		c.Last = &last
	}
	if c.Unready != nil {
		unready := c.Unready.bounded()
		c.Unready = &unready
	}
	c.Replaced = c.Replaced[max(0, len(c.Replaced)-MaxReplaced):]
}

// wordless is the round without what its nodes say.
func (r CanaryRound) wordless() CanaryRound {
	nodes := make(map[string]CanaryNode, len(r.Nodes))
	for name, n := range r.Nodes {
		n.Error = ""
		nodes[name] = n
	}
	r.Nodes = nodes
	return r
}

func (r CanaryRound) bounded() CanaryRound {
	nodes := make(map[string]CanaryNode, len(r.Nodes))
	for name, n := range r.Nodes {
		if len(nodes) == MaxCanaryNodes {
			break
		}
		nodes[name] = n.bounded()
	}
	r.Nodes = nodes
	failures := r.Failures[max(0, len(r.Failures)-maxCanaryFailures):]
	r.Failures = make([]CanaryFailure, len(failures))
	for i, f := range failures {
		r.Failures[i] = f.bounded()
	}
	for _, t := range []*time.Time{&r.Started, &r.Until, &r.Published, &r.Renewed, &r.Ended} {
		*t = t.UTC()
	}
	return r
}

func (n CanaryNode) bounded() CanaryNode {
	n.Error = cut(n.Error, maxCanaryError)
	n.Applied, n.Seen, n.Good = n.Applied.UTC(), n.Seen.UTC(), n.Good.UTC()
	return n
}

func (f CanaryFailure) bounded() CanaryFailure {
	f.Error, f.At = cut(f.Error, maxError), f.At.UTC()
	return f
}

func cut(s string, most int) string {
	if len(s) > most {
		return s[:most] + " …"
	}
	return s
}

// DecodeCanary reads what [Canary.Encode] wrote for this job.
func DecodeCanary(job string, b []byte) (Canary, error) {
	var c Canary
	if err := decode("canary", b, maxCanary, &c); err != nil {
		return Canary{}, err
	}
	if c.Job != job {
		return Canary{}, fmt.Errorf("canary record %.80q: it says that it is of %.80q", job, c.Job)
	}
	phases := []string{CanaryRevoking, CanaryRevoked, CanaryRenewing, CanaryRenewed, CanaryEnded}
	if r := c.Round; !r.Started.IsZero() && (!slices.Contains(phases, r.Phase) || !ValidID(r.ID)) {
		return Canary{}, fmt.Errorf("canary record %.80q: it is in phase %.20q, with %.80q", job, r.Phase, r.ID)
	}
	c.bound()
	return c, nil
}

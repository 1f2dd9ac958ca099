package record

import "time"

// Leader is the value of v1/leader: who holds the lock. The lock itself is the
// session on the key; this is for people.
type Leader struct {
	Format   int       `json:"format"`
	Node     string    `json:"node"`
	Instance string    `json:"instance"`
	Version  string    `json:"version"`
	Since    time.Time `json:"since"`
}

// Encode is the JSON of l in this agent's format.
func (l Leader) Encode() ([]byte, error) {
	l.Format = Format
	l.Since = l.Since.UTC()
	return encode("leader", l)
}

// DecodeLeader reads what [Leader.Encode] wrote.
func DecodeLeader(b []byte) (Leader, error) {
	var l Leader
	return l, decode("leader", b, maxJSON, &l)
}

package record

import "time"

// Trouble is v1/trouble/<id>: why the last fetches of a certificate's response
// failed. It goes when one succeeds.
type Trouble struct {
	Format int `json:"format"`
	// Reason is the one word for it that logs, metrics and status share.
	Reason string `json:"reason"`
	// Error is the last error in full.
	Error string `json:"error"`
	// Since is the first failure in a row, Last the latest.
	Since time.Time `json:"since"`
	Last  time.Time `json:"last"`
	// Failures counts them.
	Failures int      `json:"failures"`
	Job      string   `json:"job,omitempty"`
	Name     string   `json:"name,omitempty"`
	Names    []string `json:"names,omitempty"`
	// MustStaple: clients may refuse the certificate without a staple.
	MustStaple bool `json:"must_staple,omitempty"`
}

// maxError bounds the text of an error in a record: some of it may come from a
// responder.
const maxError = 1 << 10

// Encode is the JSON of t in this agent's format, its text cut to a bounded
// length.
func (t Trouble) Encode() ([]byte, error) {
	t.Format = Format
	t.Since, t.Last = t.Since.UTC(), t.Last.UTC()
	if len(t.Error) > maxError {
		t.Error = t.Error[:maxError] + " …"
	}
	return encode("trouble", t)
}

// DecodeTrouble reads what [Trouble.Encode] wrote.
func DecodeTrouble(b []byte) (Trouble, error) {
	var t Trouble
	return t, decode("trouble", b, maxJSON, &t)
}

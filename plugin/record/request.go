package record

import (
	"fmt"
	"time"
)

// Request is v1/request/<id>: somebody asks the leader to fetch a certificate's
// response now, and the leader puts there what came of it. The asker removes
// it.
type Request struct {
	Format int `json:"format"`
	// By says who asks, for people; Nonce tells one asking from another.
	By    string    `json:"by"`
	Nonce string    `json:"nonce"`
	Asked time.Time `json:"asked"`

	// Answered is zero until the leader has answered; the rest is its answer.
	Answered time.Time `json:"answered,omitzero"`
	// Outcome is what came of the fetch in one word, Reason why in one.
	Outcome string `json:"outcome,omitempty"`
	Reason  string `json:"reason,omitempty"`
	Error   string `json:"error,omitempty"`
	// Status and Until are of the response that is held now, if any.
	Status string    `json:"status,omitempty"`
	Until  time.Time `json:"until,omitzero"`
	Job    string    `json:"job,omitempty"`
	Name   string    `json:"name,omitempty"`
}

// Encode is the JSON of r in this agent's format.
func (r Request) Encode() ([]byte, error) {
	r.Format = Format
	r.Asked, r.Answered, r.Until = r.Asked.UTC(), r.Answered.UTC(), r.Until.UTC()
	if len(r.Error) > maxError {
		r.Error = r.Error[:maxError] + " …"
	}
	return encode("request", r)
}

// DecodeRequest reads what [Request.Encode] wrote.
func DecodeRequest(b []byte) (Request, error) {
	var r Request
	if err := decode("request", b, maxJSON, &r); err != nil {
		return Request{}, err
	}
	if !validNonce(r.Nonce) || r.Asked.IsZero() {
		return Request{}, fmt.Errorf("request record: no nonce, or no time at which it was made")
	}
	return r, nil
}

package status

import (
	"crypto/sha256"
	"encoding/hex"
	"time"

	"github.com/consul-ocsp/consul-ocsp/plugin/staple"
)

// Own is what an agent itself has of a certificate, besides what all know.
type Own struct {
	// Responders are the hosts that are asked for its responses, in their order;
	// empty where the agent has not the certificate.
	Responders []string
	// Asked is when they were asked last, Next when they are asked again; zero
	// where the agent does not ask them.
	Asked, Next  time.Time
	Verification Verification
}

// Verification is how an agent judges the response that it has itself, here and
// now: nothing of it is what another agent said.
type Verification struct {
	// Node is the agent's name.
	Node string `json:"node"`
	// Error is why there is nothing to judge; SHA256 and Steps are empty then.
	Error string `json:"error,omitempty"`
	// SHA256 is the lower-case hex hash of the response, byte for byte.
	SHA256 string `json:"sha256,omitempty"`
	Size   int    `json:"size,omitempty"` // in bytes
	// Steps are all checks in their order. The first that is refused ends the
	// judgement.
	Steps []Step `json:"steps"`
}

// Step is one check of a response. Result is ok, warning, refused or not
// reached.
type Step struct {
	Name   string `json:"name"`
	Result string `json:"result"`
	Detail string `json:"detail"`
}

// Judge adds the steps of a response: see [staple.Explain].
func (v *Verification) Judge(der []byte, steps []staple.Step) {
	hash := sha256.Sum256(der)
	v.SHA256, v.Size = hex.EncodeToString(hash[:]), len(der)
	for _, s := range steps {
		v.Steps = append(v.Steps, Step{Name: s.Name, Result: s.Result, Detail: clean(s.Detail)})
	}
}

// own is what the agent has of a certificate, ready to be shown.
func (o HandlerOptions) own(id string) Own {
	got := Own{Verification: Verification{Error: "nobody was asked"}}
	if o.Own != nil {
		got = o.Own(id)
	}
	got.Responders = cleanAll(got.Responders)
	got.Asked, got.Next = utc(got.Asked), utc(got.Next)
	v := &got.Verification
	v.Node, v.Error = clean(v.Node), clean(v.Error)
	if v.Steps == nil {
		v.Steps = []Step{}
	}
	return got
}

package event

import (
	"strings"
	"time"
	"unicode"

	"github.com/consul-ocsp/consul-ocsp/plugin/record"
)

// Format is the version of the JSON form of an Event. New fields don't count.
const Format = 1

// The kinds of events.
const (
	Revoked   = "revoked"
	Expiring  = "expiring"
	Recovered = "recovered"
	Leader    = "leader"
	Canary    = "canary"
)

// Event is what is told. Its JSON names are stable; what does not apply is left
// out. Times are RFC 3339 in UTC.
type Event struct {
	Format int `json:"format"`
	// Event is the kind: Revoked, Expiring, Recovered, Leader or Canary.
	Event string    `json:"event"`
	Time  time.Time `json:"time"`
	// Node is the agent that tells it: the one that leads.
	Node string `json:"node"`
	// Message says it in a line, for people.
	Message string `json:"message"`

	// ID is the certificate's; Job and Name say where it is configured.
	ID    string   `json:"id,omitempty"`
	Job   string   `json:"job,omitempty"`
	Name  string   `json:"name,omitempty"`
	Names []string `json:"names,omitempty"`
	// MustStaple: clients may refuse the certificate without a staple.
	MustStaple bool `json:"must_staple,omitempty"`
	// Status is what the response says, "good" or "revoked"; State is "revoked",
	// "ended", "ending" or "ok", as in a status.
	Status string `json:"status,omitempty"`
	State  string `json:"state,omitempty"`
	// Reason is why in one word: of a revocation if it gives any, else of the
	// failure for which no newer response is there; Error that failure's text.
	Reason     string    `json:"reason,omitempty"`
	Error      string    `json:"error,omitempty"`
	ThisUpdate time.Time `json:"this_update,omitzero"`
	Until      time.Time `json:"until,omitzero"`
	RevokedAt  time.Time `json:"revoked_at,omitzero"`
}

const (
	// maxText bounds a text, in bytes, and maxNames the list of names.
	maxText  = 1 << 10
	maxNames = 20
)

// environment is the event for a command.
func (e Event) environment() []string {
	must := ""
	if e.MustStaple {
		must = "true"
	}
	var env []string
	for _, v := range [][2]string{
		{"EVENT", e.Event}, {"TIME", stamp(e.Time)}, {"NODE", e.Node}, {"MESSAGE", e.Message},
		{"ID", e.ID}, {"JOB", e.Job}, {"NAME", e.Name}, {"MUST_STAPLE", must},
		{"STATUS", e.Status}, {"STATE", e.State}, {"REASON", e.Reason}, {"UNTIL", stamp(e.Until)},
	} {
		env = append(env, "CONSUL_OCSP_"+v[0]+"="+v[1])
	}
	return env
}

func stamp(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339)
}

// clean makes a text that others wrote harmless: control characters and broken
// UTF-8 become "?", and what is too long is cut.
func clean(s string) string {
	cut := len(s) > maxText
	if cut {
		s = s[:maxText]
	}
	s = strings.Map(func(c rune) rune {
		if !unicode.IsPrint(c) {
			return '?'
		}
		return c
	}, strings.ToValidUTF8(s, "?"))
	if cut {
		s += " …"
	}
	return s
}

// validName is s if it can name a job or certificate, else nothing: the names of
// announced certificates are what some node wrote.
func validName(s string) string {
	if !record.ValidName(s) {
		return ""
	}
	return s
}

package event

import (
	"fmt"
	"time"

	"github.com/consul-ocsp/consul-ocsp/plugin/record"
)

// Observation is what is known of one certificate at a moment.
type Observation struct {
	ID, Job, Name string
	Names         []string
	MustStaple    bool
	// Status, ThisUpdate and Until are those of the newest verified response;
	// zero: there is none.
	Status            string
	ThisUpdate, Until time.Time
	RevokedAt         time.Time
	RevocationReason  string
	// Reason and Error are of the last failure, empty after a success.
	Reason, Error string
	// Planned says that a certificate that is revoked is so by plan: that is no news.
	Planned bool
}

// The states of a certificate, in the words of a status. Without a response
// there is no state: that one never came is no news.
const (
	stateOK      = "ok"
	stateEnding  = "ending"
	stateEnded   = "ended"
	stateRevoked = "revoked"
)

// endingLife is the part of its life below which a response is ending: where
// "status -check" begins to warn.
const endingLife = 0.25

func (o Observation) state(now time.Time) string {
	left, life := o.Until.Sub(now), o.Until.Sub(o.ThisUpdate)
	switch {
	case o.ThisUpdate.IsZero():
		return ""
	case o.Status == "revoked":
		return stateRevoked
	case left <= 0:
		return stateEnded
	case float64(left) < endingLife*float64(life):
		return stateEnding
	}
	return stateOK
}

// news is the kind of event that an observation in this state is, after what was
// told last (the zero ToldState: nothing); "" if it is none. What is older than
// what was told says nothing.
func (o Observation) news(state string, last record.ToldState) string {
	was := last.State
	if was == "" {
		was = stateOK
	}
	newer := o.ThisUpdate.After(last.ThisUpdate)
	switch {
	case state == "" || state == was || o.ThisUpdate.Before(last.ThisUpdate):
		return ""
	case state == stateRevoked:
		return Revoked
	case was == stateRevoked && !newer:
		return "" // of two responses of one moment revoked counts
	case state == stateOK && newer:
		return Recovered
	case state == stateOK || was == stateEnded && !newer:
		return "" // a clock was set back
	}
	return Expiring
}

// event is the event of this kind.
func (o Observation) event(kind, state string, now time.Time, node string) Event {
	e := Event{
		Format: Format, Event: kind, Time: now.UTC().Truncate(time.Second), Node: node,
		ID: o.ID, Job: validName(o.Job), Name: validName(o.Name), MustStaple: o.MustStaple,
		Status: clean(o.Status), State: state,
		ThisUpdate: o.ThisUpdate.UTC(), Until: o.Until.UTC(),
	}
	for _, name := range o.Names[:min(len(o.Names), maxNames)] {
		e.Names = append(e.Names, clean(name))
	}
	label := o.ID
	if e.Job != "" && e.Name != "" {
		label = e.Job + "/" + e.Name
	}
	switch {
	case kind == Revoked:
		e.RevokedAt, e.Reason = o.RevokedAt.UTC(), clean(o.RevocationReason)
		e.Message = label + " is revoked" + because(e.Reason)
	case kind == Recovered:
		e.Message = fmt.Sprintf("%s has a new staple until %s", label, stamp(o.Until))
	default:
		e.Reason, e.Error = clean(o.Reason), clean(o.Error)
		verb := "ends"
		if state == stateEnded {
			verb = "ended"
		}
		e.Message = fmt.Sprintf("the staple of %s %s at %s%s", label, verb, stamp(o.Until), because(e.Reason))
	}
	return e
}

func because(reason string) string {
	if reason == "" {
		return ""
	}
	return ": " + reason
}

// urgency orders what is found at one time: what must be stapled goes first,
// then revocations, then what has ended.
func (e Event) urgency() int {
	u := map[string]int{stateRevoked: 0, stateEnded: 1, stateEnding: 2, stateOK: 3}[e.State]
	if !e.MustStaple {
		u += 4
	}
	return u
}

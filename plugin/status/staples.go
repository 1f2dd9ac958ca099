package status

import (
	"crypto/x509"
	"math"
	"time"

	"github.com/consul-ocsp/consul-ocsp/plugin/record"
	"github.com/consul-ocsp/consul-ocsp/plugin/staple"
)

// endingLife is the part of its life below which a response is "ending".
const endingLife = 0.25

// noEnd is the reason of a response whose record does not say when it ends.
const noEnd = "no-end"

// noReason stands for the reason of a record that names none.
const noReason = "failed"

// ReasonMeaning explains one reason in one line.
type ReasonMeaning struct{ Reason, Meaning string }

// Reasons returns the reasons that are this package's own; others are what
// records say.
func Reasons() []ReasonMeaning {
	return []ReasonMeaning{
		{noEnd, "the record does not say when its response ends"},
		{noReason, "the record names no reason"},
		{waiting, "a certificate is configured or announced, and nothing was fetched for it yet, nor did that fail"},
	}
}

// waiting is the reason of a certificate for which nothing was fetched yet and
// nothing failed, and that of a node that has nothing to deliver for one.
const waiting = "waiting"

// addWaiting adds what nodes announce and what has neither a response nor a
// failure. What names no responder is left out, for then nothing is fetched and
// nothing is missing, unless it must be stapled.
func (r *Report) addWaiting(certificates map[string]record.Certificate) {
	for id, c := range certificates {
		leaf, err := x509.ParseCertificate(c.Leaf)
		if err != nil || len(leaf.OCSPServer) == 0 && !staple.MustStaple(leaf) || r.Now.After(leaf.NotAfter) {
			continue
		}
		r.addMissing(id, c, leaf, "a node announces it, and the leading agent has neither fetched it nor failed to")
	}
}

// addMissing adds a certificate of which nothing is known.
func (r *Report) addMissing(id string, c record.Certificate, leaf *x509.Certificate, why string) {
	r.Staples = append(r.Staples, Staple{
		ID: id, Job: clean(c.Job), Name: clean(c.Name), Names: cleanAll(staple.Names(leaf)), Unstaplable: []string{},
		MustStaple: staple.MustStaple(leaf), State: Missing, Reason: waiting, Error: why,
	})
}

func (r *Report) addStaples(metas map[string]record.Meta, troubles map[string]record.Trouble) {
	for id, m := range metas {
		if !record.ValidID(id) {
			continue
		}
		s := r.staple(id, m)
		if t, failing := troubles[id]; failing {
			s.fail(t)
		}
		s.State = s.state(true)
		r.Staples = append(r.Staples, s)
	}
	for id, t := range troubles {
		if _, has := metas[id]; has || !record.ValidID(id) {
			continue
		}
		s := Staple{
			ID: id, Job: clean(t.Job), Name: clean(t.Name), Names: cleanAll(t.Names), Unstaplable: []string{}, MustStaple: t.MustStaple,
		}
		s.fail(t)
		s.State = s.state(false)
		r.Staples = append(r.Staples, s)
	}
}

func (r *Report) staple(id string, m record.Meta) Staple {
	s := Staple{
		ID:               id,
		Job:              clean(m.Job),
		Name:             clean(m.Name),
		Names:            cleanAll(m.Names),
		Serial:           clean(m.Serial),
		Status:           clean(m.Status),
		MustStaple:       m.MustStaple,
		Unstaplable:      cleanAll(m.Unstaplable),
		ThisUpdate:       utc(m.ThisUpdate),
		NextUpdate:       utc(m.NextUpdate),
		RevokedAt:        utc(m.RevokedAt),
		RevocationReason: clean(m.RevocationReason),
		Until:            utc(m.Until),
		Responder:        clean(m.Responder),
	}
	if s.Until.IsZero() {
		s.Until = s.NextUpdate
	}
	if s.Until.IsZero() {
		// Every record that an agent writes has an end; this one comes from
		// elsewhere, and nobody can say that its response still lives.
		s.Reason, s.Error = noEnd, "the record does not say when the response ends"
		return s
	}
	left, life := s.Until.Sub(r.Now), s.Until.Sub(s.ThisUpdate)
	s.SecondsLeft = int64(left / time.Second)
	if left > 0 && life > 0 {
		s.LifeLeft = min(1, round(left.Seconds()/life.Seconds()))
	}
	return s
}

// round keeps four digits: what is shown and compared is no finer.
func round(f float64) float64 { return math.Round(f*1e4) / 1e4 }

func (s *Staple) fail(t record.Trouble) {
	s.Reason, s.Error, s.Since, s.Failures = clean(t.Reason), clean(t.Error), utc(t.Since), t.Failures
	if s.Reason == "" {
		s.Reason = noReason
	}
}

func (s *Staple) state(exists bool) string {
	switch {
	case !exists:
		return Missing
	case s.Status == Revoked:
		return Revoked
	case s.SecondsLeft <= 0:
		return Ended
	case s.LifeLeft < endingLife:
		return Ending
	case len(s.Unstaplable) > 0:
		return Unstaplable
	case s.Reason != "":
		return Failing
	}
	return OK
}

// label is what people know the certificate by: its name in the job file, else
// its first host name, else the beginning of its id.
func (s Staple) label() string {
	switch {
	case s.Job != "" && s.Name != "":
		return s.Job + "/" + s.Name
	case len(s.Names) > 0 && s.Names[0] != "":
		return s.Names[0]
	}
	return shortID(s.ID)
}

// shortID is enough of an id to find it.
func shortID(id string) string { return id[:min(len(id), 12)] }

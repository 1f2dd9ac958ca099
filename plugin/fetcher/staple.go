package fetcher

import (
	"fmt"
	"time"

	"github.com/consul-ocsp/consul-ocsp/plugin/record"
	"github.com/consul-ocsp/consul-ocsp/plugin/staple"
)

// NewStaple is the record of a response that was verified for t; responder is
// the URL that gave it.
func NewStaple(f *staple.Facts, t Target, responder string) record.Staple {
	var unstaplable []string
	for _, r := range f.Unstaplable {
		unstaplable = append(unstaplable, string(r))
	}
	return record.Staple{ID: t.ID, DER: f.DER, Meta: record.Meta{
		Format:           record.Format,
		SHA256:           f.SHA256(),
		Serial:           f.Serial(),
		Issuer:           t.issuerName(),
		Status:           string(f.Status),
		ThisUpdate:       f.ThisUpdate,
		NextUpdate:       f.NextUpdate,
		Until:            f.Until,
		RevokedAt:        f.RevokedAt,
		RevocationReason: f.RevocationReason,
		Names:            t.hostNames(),
		Responder:        responder,
		Job:              t.Job,
		Name:             t.Name,
		MustStaple:       t.MustStaple,
		Unstaplable:      unstaplable,
	}}
}

// Learn judges a stored response for t, whoever stored it. Its meta must say
// what the response says: by it newer is told from older. An error about the
// response itself is a *staple.Refusal.
func Learn(st record.Staple, t Target, now time.Time) (*staple.Facts, error) {
	return learn(st, t, now, verify)
}

func learn(st record.Staple, t Target, now time.Time, verify func([]byte, Target, time.Time) (*staple.Facts, error)) (*staple.Facts, error) {
	if st.ID != t.ID {
		return nil, fmt.Errorf("response for %.80q, not for %s", st.ID, t.ID)
	}
	f, err := verify(st.DER, t, now)
	if err != nil {
		return nil, err
	}
	m := st.Meta
	if m.SHA256 != f.SHA256() || m.Status != string(f.Status) || !m.ThisUpdate.Equal(f.ThisUpdate) {
		return nil, fmt.Errorf("response for %s: its meta says %.20q of %s, the response says %q of %s", t.ID,
			m.Status, m.ThisUpdate.Format(time.RFC3339), f.Status, f.ThisUpdate.Format(time.RFC3339))
	}
	if f.Status == staple.Unknown {
		return nil, fmt.Errorf("response for %s: status unknown", t.ID)
	}
	return f, nil
}

func verify(der []byte, t Target, now time.Time) (*staple.Facts, error) {
	pair := t.pair
	if t.announcement != nil {
		pair = t.announcement.brief.Pair()
	} else {
		pair = pair.On(t.Leaf, t.Issuer)
	}
	return pair.Verify(der, t.Settings.Judgement(now))
}

// genuine reports whether a refused response is at least the CA's own word on
// the certificate, outside its time: then its thisUpdate still counts.
func genuine(err error) bool {
	switch staple.ReasonOf(err) {
	case staple.Expired, staple.NotYetValid, staple.ProducedAhead, staple.CertificateExpired:
		return true
	}
	return false
}

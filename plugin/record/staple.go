package record

import (
	"encoding/json"
	"fmt"
	"time"
)

// MaxDER is the largest response that is stored, in bytes.
const MaxDER = 64 << 10

// maxJSON bounds every JSON record but a certificate.
const maxJSON = 64 << 10

// Meta is what v1/meta/<id> says of the response in v1/der/<id>. It saves a
// reader the DER when only the times matter; whoever delivers the response
// verifies the DER and believes nothing of this.
type Meta struct {
	Format int `json:"format"`
	// SHA256 is the lower-case hex SHA-256 of the DER response.
	SHA256 string `json:"sha256"`
	// Serial is the certificate's serial number in lower-case hex.
	Serial string `json:"serial"`
	// Issuer is the issuer's subject, for people.
	Issuer string `json:"issuer"`
	// Status is "good" or "revoked".
	Status     string    `json:"status"`
	ThisUpdate time.Time `json:"this_update"`
	// NextUpdate is zero where the response has none.
	NextUpdate time.Time `json:"next_update,omitzero"`
	// Until is when the response ends: the earliest of nextUpdate and the ends
	// of the certificate and of the response's signer.
	Until     time.Time `json:"until,omitzero"`
	RevokedAt time.Time `json:"revoked_at,omitzero"`
	// RevocationReason is why, in the words of RFC 5280 section 5.3.1; empty
	// where none is given.
	RevocationReason string `json:"revocation_reason,omitempty"`
	// Names are the certificate's host names, for people.
	Names []string `json:"names"`
	// Responder is the URL that gave the response.
	Responder string `json:"responder"`
	// Job and Name say where the certificate is configured, for people; empty
	// where it was announced without a name.
	Job        string `json:"job,omitempty"`
	Name       string `json:"name,omitempty"`
	MustStaple bool   `json:"must_staple,omitempty"`
	// Unstaplable are the reasons, if any, why HAProxy can't staple it.
	Unstaplable []string `json:"unstaplable,omitempty"`
	// Published is when the leader wrote it to Consul; zero where that is not so.
	// It decides nothing.
	Published time.Time `json:"published,omitzero"`
}

// Staple is a response and what is said of it.
type Staple struct {
	// ID is the certificate's id.
	ID   string
	Meta Meta
	// DER is the response, byte for byte as the responder gave it.
	DER []byte
}

// Supersedes is the one rule for which of two responses to a certificate
// stays: the new one does if its thisUpdate is later, or equal while it is
// revoked and the old one is not. A status other than good and revoked never
// supersedes anything. Statuses are those of RFC 6960: "good", "revoked",
// "unknown". An empty oldStatus with a zero oldThis stands for "none".
func Supersedes(status string, this time.Time, oldStatus string, oldThis time.Time) bool {
	if status != statusGood && status != statusRevoked {
		return false
	}
	if this.Equal(oldThis) {
		return status == statusRevoked && oldStatus != statusRevoked
	}
	return this.After(oldThis)
}

const (
	statusGood    = "good"
	statusRevoked = "revoked"
)

// Supersedes reports whether a response with meta m replaces one with meta
// old; the zero Meta stands for "none".
func (m Meta) Supersedes(old Meta) bool {
	return Supersedes(m.Status, m.ThisUpdate, old.Status, old.ThisUpdate)
}

// Encode is the JSON of m, in this agent's format and with its times in UTC.
func (m Meta) Encode() ([]byte, error) {
	m.Format = Format
	for _, t := range []*time.Time{&m.ThisUpdate, &m.NextUpdate, &m.Until, &m.RevokedAt} {
		*t = t.UTC()
	}
	return encode("meta", m)
}

// DecodeMeta reads what [Meta.Encode] wrote. It refuses what could not have
// come from there: no checksum, no thisUpdate, or a status that is never
// published.
func DecodeMeta(b []byte) (Meta, error) {
	var m Meta
	if err := decode("meta", b, maxJSON, &m); err != nil {
		return Meta{}, err
	}
	switch {
	case !ValidID(m.SHA256):
		return Meta{}, fmt.Errorf("meta record: sha256 is not 64 lower-case hex digits")
	case m.ThisUpdate.IsZero():
		return Meta{}, fmt.Errorf("meta record: no this_update")
	case m.Status != statusGood && m.Status != statusRevoked:
		return Meta{}, fmt.Errorf("meta record: status %.20q is neither good nor revoked", m.Status)
	}
	return m, nil
}

// Describes reports whether m was written for this DER.
func (m Meta) Describes(der []byte) bool { return m.SHA256 == hash(der) }

// stored is the one-file form of a Staple.
type stored struct {
	Meta json.RawMessage `json:"meta"`
	DER  []byte          `json:"der"`
}

// Encode is the staple as one JSON document, with the DER in base64: the form
// of data_dir, where one file is replaced as a whole.
func (s Staple) Encode() ([]byte, error) {
	if !s.Meta.Describes(s.DER) {
		return nil, fmt.Errorf("staple %s: its meta describes another response", s.ID)
	}
	meta, err := s.Meta.Encode()
	if err != nil {
		return nil, err
	}
	return encode("staple", stored{Meta: meta, DER: s.DER})
}

// DecodeStaple reads what [Staple.Encode] wrote for id.
func DecodeStaple(id string, b []byte) (Staple, error) {
	var s stored
	if err := decode("staple", b, 2*MaxDER+maxJSON, &s); err != nil {
		return Staple{}, err
	}
	meta, err := DecodeMeta(s.Meta)
	if err != nil {
		return Staple{}, err
	}
	return NewStaple(id, meta, s.DER)
}

// NewStaple joins what was read from two places; it refuses an id that is
// none, and a DER that is empty, too large, or not the one meta speaks of.
func NewStaple(id string, meta Meta, der []byte) (Staple, error) {
	switch {
	case !ValidID(id):
		return Staple{}, fmt.Errorf("staple record: %.80q is not an id", id)
	case len(der) == 0 || len(der) > MaxDER:
		return Staple{}, fmt.Errorf("staple %s: a response of %d bytes; 1 to %d are stored", id, len(der), MaxDER)
	case !meta.Describes(der):
		return Staple{}, fmt.Errorf("staple %s: the meta record describes another response", id)
	}
	return Staple{ID: id, Meta: meta, DER: der}, nil
}

// Checksum is the lower-case hex SHA-256 of a response, as in [Meta].
func Checksum(der []byte) string { return hash(der) }

package record

import (
	"fmt"
	"time"
)

// MaxTold is how many certificates a Told holds: with it the record stays below
// Consul's limit for one transaction, 512 KiB, in base64.
const MaxTold = 1500

const maxTold = 512 << 10

// Told is v1/told, and told.json of a data_dir that is used without Consul: of
// which certificates whoever is to be told of events has heard what last. It
// keeps the next leader from telling it again.
type Told struct {
	Format int `json:"format"`
	// Leader is the node that was told to lead last.
	Leader string `json:"leader,omitempty"`
	// Certificates are those that were not all right last, by id.
	Certificates map[string]ToldState `json:"certificates,omitempty"`
}

// ToldState is what was told of one certificate: the state in the words of a
// status, the thisUpdate of its response, and when.
type ToldState struct {
	State      string    `json:"state"`
	ThisUpdate time.Time `json:"this_update"`
	At         time.Time `json:"at"`
}

// Encode is the JSON of t in this agent's format, with any MaxTold of its
// certificates.
func (t Told) Encode() ([]byte, error) {
	t.Format = Format
	kept := make(map[string]ToldState, min(len(t.Certificates), MaxTold))
	for id, s := range t.Certificates {
		if len(kept) == MaxTold {
			break
		}
		s.ThisUpdate, s.At = s.ThisUpdate.UTC(), s.At.UTC()
		kept[id] = s
	}
	t.Certificates = kept
	return encode("told", t)
}

// DecodeTold reads what [Told.Encode] wrote.
func DecodeTold(b []byte) (Told, error) {
	var t Told
	if err := decode("told", b, maxTold, &t); err != nil {
		return Told{}, err
	}
	for id := range t.Certificates {
		if !ValidID(id) {
			return Told{}, fmt.Errorf("told record: %.80q is not an id", id)
		}
	}
	return t, nil
}

package status

import (
	"cmp"
	"slices"
	"time"

	"github.com/consul-ocsp/consul-ocsp/plugin/record"
)

// HistoryFormat is the version of the JSON form of a History, as Format is.
const HistoryFormat = 1

// History are the signed responses that are kept of one certificate. Its JSON
// names are stable, as those of a Report.
type History struct {
	Format int       `json:"format"`
	Now    time.Time `json:"now"`
	// At, if set, is the moment that was asked for: of each place only what it
	// had then is there.
	At time.Time `json:"at,omitzero"`
	// ID and what follows are the certificate's.
	ID        string    `json:"id"`
	Job       string    `json:"job"`
	Name      string    `json:"name"`
	Names     []string  `json:"names"`
	Serial    string    `json:"serial"`
	Issuer    string    `json:"issuer"`
	NotBefore time.Time `json:"not_before,omitzero"`
	NotAfter  time.Time `json:"not_after,omitzero"`
	// Kept is how many responses there are; Responses the newest of them first.
	Kept      int            `json:"kept"`
	Responses []KeptResponse `json:"responses"`
	// Wrong are files that are not what they should be.
	Wrong []WrongFile `json:"wrong"`
}

// KeptResponse is one response. What it says was read from it, when it had been
// verified again; of one that does not verify only ThisUpdate is known, by the
// name of its file.
type KeptResponse struct {
	SHA256   string `json:"sha256"`
	Verified bool   `json:"verified"`
	// Error is why it is not.
	Error string `json:"error"`
	// Status is "good" or "revoked".
	Status           string    `json:"status"`
	RevokedAt        time.Time `json:"revoked_at,omitzero"`
	RevocationReason string    `json:"revocation_reason"`
	ProducedAt       time.Time `json:"produced_at,omitzero"`
	ThisUpdate       time.Time `json:"this_update,omitzero"`
	NextUpdate       time.Time `json:"next_update,omitzero"`
	// Signer is the subject of the certificate whose key signed.
	Signer string `json:"signer"`
	// Kept is when this agent had verified it for the first time, Published when
	// the leader wrote it to Consul, Responder the URL that gave it.
	Kept      time.Time `json:"kept,omitzero"`
	Published time.Time `json:"published,omitzero"`
	Responder string    `json:"responder"`
	// Stapled is where it was in place, first those that had it first.
	Stapled []StapledAt `json:"stapled"`
	// DER is the response, in base64.
	DER []byte `json:"der"`
	// File is where it lies on this agent's disk.
	File string `json:"file"`
}

// StapledAt is a place that had a response; see record.Stapled.
type StapledAt struct {
	Node       string    `json:"node"`
	Datacenter string    `json:"datacenter"`
	At         time.Time `json:"at"`
	After      time.Time `json:"after,omitzero"`
	How        string    `json:"how"`
	Target     string    `json:"target"`
}

// WrongFile is a file that is not what it should be.
type WrongFile struct {
	File  string `json:"file"`
	Error string `json:"error"`
}

// NewHistory is an empty history of a certificate.
func NewHistory(id string, now time.Time) *History {
	return &History{
		Format: HistoryFormat, Now: now.UTC().Truncate(time.Second), ID: id,
		Names: []string{}, Responses: []KeptResponse{}, Wrong: []WrongFile{},
	}
}

// AddWrong adds a file that is not what it should be.
func (h *History) AddWrong(file string, err error) {
	h.Wrong = append(h.Wrong, WrongFile{File: clean(file), Error: clean(err.Error())})
}

// Add adds a response with what was noted of it.
func (h *History) Add(r KeptResponse, notes record.Kept) {
	for _, t := range []*time.Time{&r.RevokedAt, &r.ProducedAt, &r.ThisUpdate, &r.NextUpdate} {
		*t = utc(*t)
	}
	r.Error, r.Signer, r.File = clean(r.Error), clean(r.Signer), clean(r.File)
	r.Kept, r.Published, r.Responder = utc(notes.Kept), utc(notes.Published), clean(notes.Responder)
	r.Stapled = []StapledAt{}
	for _, s := range notes.Sorted() {
		r.Stapled = append(r.Stapled, StapledAt{
			Node: clean(s.Node), Datacenter: clean(s.Datacenter), At: utc(s.At), After: utc(s.After), How: clean(s.How), Target: clean(s.Target),
		})
	}
	if h.Job == "" && h.Name == "" {
		h.Job, h.Name = clean(notes.Job), clean(notes.Name)
	}
	h.Responses = append(h.Responses, r)
}

// Describe says which certificate it is.
func (h *History) Describe(names []string, serial, issuer string, notBefore, notAfter time.Time) {
	h.Names, h.Serial, h.Issuer = cleanAll(names), serial, clean(issuer)
	h.NotBefore, h.NotAfter = utc(notBefore), utc(notAfter)
}

// Sort puts the newest response first: of two of one time the one that was kept
// later.
func (h *History) Sort() {
	slices.SortStableFunc(h.Responses, func(a, b KeptResponse) int {
		return cmp.Or(b.ThisUpdate.Compare(a.ThisUpdate), b.Kept.Compare(a.Kept))
	})
}

// Then leaves of each place what it had at a moment: the newest that had got
// there by then, and what may have, where that is not known so exactly.
func (h *History) Then(at time.Time) {
	h.At = utc(at)
	had := map[[3]string]bool{}
	var left []KeptResponse
	for _, r := range h.Responses { // the newest first
		places := []StapledAt{}
		for _, s := range r.Stapled {
			place := [3]string{s.Node, s.Datacenter, s.Target}
			switch {
			case had[place]:
			case !s.At.After(at):
				had[place] = true
				places = append(places, s)
			case !s.After.IsZero() && s.After.Before(at):
				places = append(places, s)
			}
		}
		if r.Stapled = places; len(places) > 0 {
			left = append(left, r)
		}
	}
	h.Responses = append([]KeptResponse{}, left...)
}

// At reports of responses, the newest first, whether [History.Then] may leave
// anything of them: there may be ten thousand, with a place for each of hundreds of
// nodes, and most are of no moment.
func At(at time.Time) (matters func(thisUpdate time.Time, notes record.Kept) bool) {
	had := map[[3]string]time.Time{} // by place, the response that it had by then
	return func(thisUpdate time.Time, notes record.Kept) bool {
		matters := false
		for _, s := range notes.Stapled {
			place := [3]string{s.Node, s.Datacenter, s.Target}
			switch before, known := had[place]; {
			case known && before.After(thisUpdate):
			case !s.At.After(at):
				had[place] = thisUpdate
				matters = true
			case !s.After.IsZero() && s.After.Before(at):
				matters = true
			}
		}
		return matters
	}
}

// Sound tells whether there is a response, and whether all that was looked at is
// as it should be.
func (h *History) Sound() (found, sound bool) {
	sound = len(h.Wrong) == 0
	for _, r := range h.Responses {
		sound = sound && r.Verified
	}
	return len(h.Responses) > 0, sound
}

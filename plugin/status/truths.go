package status

import "time"

// Truths are what there is on a node for one certificate: in its file, in each
// HAProxy, and at a client.
type Truths struct {
	ID     string  `json:"id"`
	Job    string  `json:"job"`
	Name   string  `json:"name"`
	Truths []Truth `json:"truths"`
}

// Truth is one place's. Times are UTC, zero where there is no response.
type Truth struct {
	Place string `json:"place"` // file, haproxy [NAME], client
	// Says is good, revoked or unknown for a response that verifies; none where
	// there is none; refused where it does not verify, unserved where the server
	// gives another certificate, error where the place could not be looked at.
	Says       string    `json:"says"`
	ThisUpdate time.Time `json:"this_update,omitzero"`
	NextUpdate time.Time `json:"next_update,omitzero"`
	SHA256     string    `json:"sha256,omitempty"` // empty for a HAProxy before 2.8
	Error      string    `json:"error,omitempty"`
}

// Agree tells whether every place has the same response.
func (t *Truths) Agree() bool {
	for _, one := range t.Truths {
		first := t.Truths[0]
		if one.Says != first.Says || !one.ThisUpdate.Equal(first.ThisUpdate) || !one.NextUpdate.Equal(first.NextUpdate) ||
			one.SHA256 != "" && first.SHA256 != "" && one.SHA256 != first.SHA256 {
			return false
		}
	}
	return true
}

// Here is what a node's places have for one certificate, for whoever asks its
// agent.
type Here struct {
	// Node is the agent's.
	Node string `json:"node"`
	// At is when the places were looked at: who asks soon after is told the same.
	At time.Time `json:"at"`
	// Files are the node's files with the certificate, mostly one.
	Files []HereFile `json:"files"`
}

// HereFile is one file of a node with its places.
type HereFile struct {
	Truths
	// Agree tells whether every place has the same response.
	Agree bool `json:"agree"`
}

// NewHere is what was found at now, its text harmless wherever it is shown.
func NewHere(node string, now time.Time, found []Truths) Here {
	h := Here{Node: clean(node), At: utc(now), Files: []HereFile{}}
	for _, f := range found {
		file := HereFile{Truths: f, Agree: f.Agree()}
		file.Job, file.Name, file.Truths.Truths = clean(f.Job), clean(f.Name), []Truth{}
		for _, t := range f.Truths {
			t.Place, t.Error = clean(t.Place), clean(t.Error)
			t.ThisUpdate, t.NextUpdate = utc(t.ThisUpdate), utc(t.NextUpdate)
			file.Truths.Truths = append(file.Truths.Truths, t)
		}
		h.Files = append(h.Files, file)
	}
	return h
}

// Package prospects says what an agent with a configuration would meet on this
// node. It changes nothing, and asks no responder and no Consul.
package prospects

import "slices"

// Report is what the agent would meet.
type Report struct {
	Certificates []Prospect `json:"certificates"`
	// Remarks are about jobs and servers as a whole.
	Remarks []Remark `json:"remarks"`
}

// Prospect is what delivering for one certificate would come to.
type Prospect struct {
	ID         string   `json:"id"`
	Job        string   `json:"job"`
	Name       string   `json:"name"`
	Path       string   `json:"path"`
	MustStaple bool     `json:"must_staple"`
	Issuer     string   `json:"issuer"` // where it is: config, pem, chains, file, aia, or none
	File       string   `json:"file,omitempty"`
	Owner      string   `json:"owner,omitempty"` // of File, empty where it is not there
	Holds      string   `json:"holds,omitempty"` // what File holds
	Servers    []Reach  `json:"servers"`
	Remarks    []Remark `json:"remarks"`
}

// Reach is what one server makes of one certificate.
type Reach struct {
	Server string `json:"server"`
	// Way is how a response would get there, one of the Way constants.
	Way        string   `json:"way"`
	Names      []string `json:"names,omitempty"` // HAProxy's own for it; empty: it does not serve it
	Registered bool     `json:"registered"`      // it takes a response while it runs
	Updates    bool     `json:"updates"`         // it asks the responder itself
}

// The ways of a response to a server.
const (
	WaySet         = "set"         // HAProxy takes it by set ssl ocsp-response
	WayTransaction = "transaction" // HAProxy takes it after set ssl cert and commit ssl cert
	WayReload      = "reload"      // the server reads its file when it is reloaded
	WayFile        = "file"        // the server does not run, its start reads the file
	WayRun         = "run"         // a command is run
	WayNone        = "none"        // the server does not serve the certificate
)

// Remark is something to know before switching. What hurts takes a staple, a
// reload or a start away.
type Remark struct {
	Hurts bool   `json:"hurts"`
	Text  string `json:"text"`
}

// Hurts tells whether anything would.
func (r *Report) Hurts() bool {
	hurts := func(remark Remark) bool { return remark.Hurts }
	return slices.ContainsFunc(r.Remarks, hurts) ||
		slices.ContainsFunc(r.Certificates, func(c Prospect) bool { return slices.ContainsFunc(c.Remarks, hurts) })
}

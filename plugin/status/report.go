package status

import "time"

// Format is the version of the JSON form of a Report. It grows when a field
// changes its meaning or goes; new fields alone don't count.
const Format = 1

// Where a Report comes from.
const (
	SourceConsul  = "consul"
	SourceDataDir = "data_dir"
)

// The states of a staple and of a node; see the package comment.
const (
	OK = "ok"

	Revoked     = "revoked"
	Ended       = "ended"
	Missing     = "missing"
	Ending      = "ending"
	Unstaplable = "unstaplable"
	Failing     = "failing"

	Stale   = "stale"
	Clock   = "clock"
	Trouble = "trouble"
)

// Report is everything at one moment. Its JSON names are stable; lists are
// never null; times are RFC 3339 in UTC and absent where they are not known.
type Report struct {
	Format int       `json:"format"`
	Now    time.Time `json:"now"`
	// Source is SourceConsul or SourceDataDir.
	Source string `json:"source"`
	// Error says why Source is not the one that it should be: Consul does not
	// answer. Absent where all is well.
	Error string `json:"error,omitempty"`
	// RecordsFormat is the version of the records that the cluster's leader
	// writes, 0 before the first.
	RecordsFormat int `json:"records_format"`
	// Leader is null while nobody leads, which is usual where fetching is a
	// periodic task, and without Consul.
	Leader *Leader `json:"leader"`
	// Generation counts the publications of the cluster; 0 without Consul.
	Generation uint64 `json:"generation"`
	// Staples are in the order of urgency: first those that are not ok, of these
	// first the must-staple ones, then what ends first.
	Staples []Staple `json:"staples"`
	// Nodes are those that are not ok, then the others, by name.
	Nodes []Node `json:"nodes"`
	// Columns are the certificates that Node.Applied speaks of, in its order: the
	// first record.IDPrefix digits of each id.
	Columns []string `json:"-"`
	// Canaries are by job.
	Canaries []Canary `json:"canaries"`
	// Unreadable are the records that were refused, by key.
	Unreadable []Unreadable `json:"unreadable"`
}

// SetError says in the report why its Source is not the one that it should be.
func (r *Report) SetError(err error) { r.Error = clean(err.Error()) }

// Leader is who fetches.
type Leader struct {
	Node    string    `json:"node"`
	Version string    `json:"version"`
	Since   time.Time `json:"since,omitzero"`
}

// Staple is what is known of one certificate's response.
type Staple struct {
	// ID is the certificate's id: 64 lower-case hex digits.
	ID string `json:"id"`
	// Job and Name say where it is configured; empty if that is not known.
	Job  string `json:"job"`
	Name string `json:"name"`
	// Names are the certificate's host names.
	Names []string `json:"names"`
	// Serial is lower-case hex.
	Serial string `json:"serial"`
	// Status is what the response says: "good" or "revoked"; empty without one.
	Status string `json:"status"`
	State  string `json:"state"`
	// MustStaple: clients may refuse the certificate without a staple.
	MustStaple bool `json:"must_staple"`
	// Unstaplable are the reasons why HAProxy can't staple the response.
	Unstaplable []string `json:"unstaplable"`

	ThisUpdate time.Time `json:"this_update,omitzero"`
	NextUpdate time.Time `json:"next_update,omitzero"`
	RevokedAt  time.Time `json:"revoked_at,omitzero"`
	// RevocationReason is why, in the words of RFC 5280 section 5.3.1; empty if
	// no reason is given.
	RevocationReason string `json:"revocation_reason"`
	// Until is when the response must no longer be served.
	Until time.Time `json:"until,omitzero"`
	// SecondsLeft is the time to Until: negative once it is past, 0 without a
	// response.
	SecondsLeft int64 `json:"seconds_left"`
	// LifeLeft is the part of the time from ThisUpdate to Until that is left,
	// from 0 to 1.
	LifeLeft float64 `json:"life_left"`
	// Responder is the URL that gave the response.
	Responder string `json:"responder"`

	// Reason, Error, Since and Failures tell of the failures since the last
	// success: empty and 0 if there were none.
	Reason   string    `json:"reason"`
	Error    string    `json:"error"`
	Since    time.Time `json:"since,omitzero"`
	Failures int       `json:"failures"`

	// NodesCurrent counts the nodes that deliver this response or a newer one,
	// NodesOlder those that deliver an older one. What a node said last counts,
	// whenever that was.
	NodesCurrent int `json:"nodes_current"`
	NodesOlder   int `json:"nodes_older"`
}

// Node is what a node says of itself.
type Node struct {
	Node    string   `json:"node"`
	Version string   `json:"version"`
	Roles   []string `json:"roles"`
	State   string   `json:"state"`
	// Seen is when the node wrote this, Started when its agent started.
	Seen    time.Time `json:"seen,omitzero"`
	Started time.Time `json:"started,omitzero"`
	// Certificates counts the node's certificate files, Stapled those of them
	// with a response that lives.
	Certificates int `json:"certificates"`
	Stapled      int `json:"stapled"`
	// Current counts the certificates for which the node delivers the response
	// that is shown here or a newer one, Older those with an older one.
	Current int `json:"current"`
	Older   int `json:"older"`
	// TroubleCount counts what is wrong; Troubles are the first of them.
	TroubleCount int           `json:"trouble_count"`
	Troubles     []NodeTrouble `json:"troubles"`
	// Page is the URL of the agent's page: http or https, a host, perhaps a port,
	// and nothing else. Absent where others can't reach it or don't know how.
	Page string `json:"page,omitempty"`
	// AppliedCut says that the node may deliver more than it could list.
	AppliedCut bool `json:"applied_cut"`
	// Applied has a character for each of Report.Columns: Current, Older or
	// Unsaid.
	Applied string `json:"-"`
}

// What a node says that it delivers for a certificate: the response that is
// shown or a newer one, an older one, or nothing.
const (
	Current = '1'
	Older   = '2'
	Unsaid  = '0'
)

// NodeTrouble is one thing wrong on a node.
type NodeTrouble struct {
	// ID is the certificate's, empty if it is about none.
	ID     string    `json:"id"`
	Job    string    `json:"job"`
	Name   string    `json:"name"`
	Target string    `json:"target"`
	Reason string    `json:"reason"`
	Error  string    `json:"error"`
	Since  time.Time `json:"since,omitzero"`
	// MustStaple says that the certificate must be stapled and that the node
	// delivers nothing for it.
	MustStaple bool `json:"must_staple_missing"`
}

// Unreadable is a record that was refused.
type Unreadable struct {
	Key   string `json:"key"`
	Error string `json:"error"`
}

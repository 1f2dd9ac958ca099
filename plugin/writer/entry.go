package writer

import (
	"slices"
	"time"

	"github.com/consul-ocsp/consul-ocsp/plugin/record"
	"github.com/consul-ocsp/consul-ocsp/plugin/staple"
)

// entry is one certificate file and how far it came. cert never changes: Set
// makes another entry for another one. The Writer's mu guards the rest.
type entry struct {
	cert Certificate
	gone bool // no longer configured: work that is still queued is dropped

	held *staple.Facts // the newest that was verified
	// applied is the newest that was let through to file and targets; it is
	// older than held while held can't be stapled.
	applied *staple.Facts
	filed   bool   // the file holds applied
	wrote   bool   // this agent has written it
	loaded  string // checksum of what was held at the start
	misfit  error
	fileErr error
	since   time.Time // when misfit or fileErr came, whichever is there
	refused *Refused
	early   bool // a candidate was refused because our clock is behind
	// owed is what came with held from the source, until data_dir is told of it.
	owed *record.Meta
	// unkept is why data_dir does not have what is held, nil if it has.
	unkept      error
	unkeptSince time.Time

	// complaints are those that it is counted in.
	complaints [kinds]*complaint

	targets map[Target]*delivery
	seen    []string // what news told last
	shown   string   // checksum of what was applied then
}

// delivery is how far one target came with an entry.
type delivery struct {
	sha256   string // of the response that is installed
	status   staple.Status
	filed    bool // the file held it when the target was told
	given    bool // it got something from this agent
	outcome  Outcome
	at       time.Time
	seen     time.Time // when it was looked at last; by time.Now
	compared bool      // it is looked at again without a reason
	err      error
	since    time.Time // when err came
	failures int
	step     stepFailure
	// complaint is the one that it is counted in, said are the reasons since it
	// began to fail.
	complaint *complaint
	said      []string
}

// Refused is a candidate that was not let in.
type Refused struct {
	SHA256 string
	Reason string
	Error  string
	Since  time.Time
}

// place of an entry among the others: a file has one within a job.
type entryKey struct{ job, path string }

// inherit takes over what old knows and still holds for e.
func (e *entry) inherit(old *entry) {
	e.cert.pair = old.cert.pair
	e.held, e.applied, e.filed, e.loaded = old.held, old.applied, old.filed, old.loaded
	e.misfit, e.fileErr, e.since = old.misfit, old.fileErr, old.since
	e.refused, e.early = old.refused, old.early
	e.owed, e.unkept, e.unkeptSince = old.owed, old.unkept, old.unkeptSince
	e.complaints, old.complaints = old.complaints, e.complaints
	for _, t := range e.cert.Targets {
		if d := old.targets[t]; d != nil {
			e.targets[t] = d
			delete(old.targets, t)
		}
	}
}

// equal tells whether an entry for a serves b without a change.
func equal(a, b *Certificate) bool {
	return same(a, b) && a.Name == b.Name && a.IssuerInPEM == b.IssuerInPEM && a.IssuerKnown == b.IssuerKnown &&
		a.IssuerFile == b.IssuerFile && a.IssuerOnlyInPEM == b.IssuerOnlyInPEM &&
		a.MustStaple == b.MustStaple && a.WriteIssuer == b.WriteIssuer &&
		slices.Equal(a.Names, b.Names) && slices.Equal(a.Targets, b.Targets)
}

// same tells whether what is known for a stays right for b.
func same(a, b *Certificate) bool {
	if a.ID != b.ID || a.file() != b.file() || a.OnRevoked != b.OnRevoked || a.WriteFile != b.WriteFile ||
		a.Placeholder != b.Placeholder || a.ZeroWarning != b.ZeroWarning ||
		a.Options.AllowSHA1Signatures != b.Options.AllowSHA1Signatures ||
		len(a.Options.TrustedResponders) != len(b.Options.TrustedResponders) ||
		(a.Issuer == nil) != (b.Issuer == nil) {
		return false
	}
	for i, r := range a.Options.TrustedResponders {
		if !r.Equal(b.Options.TrustedResponders[i]) {
			return false
		}
	}
	return a.Issuer == nil || a.Issuer.Equal(b.Issuer)
}

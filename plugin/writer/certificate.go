package writer

import (
	"context"
	"crypto/x509"
	"time"

	"github.com/consul-ocsp/consul-ocsp/plugin/record"
	"github.com/consul-ocsp/consul-ocsp/plugin/staple"
)

// Certificate is one certificate file of this node and what is to be done for
// it. The same ID may stand behind several files; each is served on its own.
type Certificate struct {
	ID        string // staple.ID of the leaf
	Job, Name string
	Path      string // the PEM, as the server knows it
	OCSPFile  string // empty: <Path>.ocsp
	// IssuerFile is where HAProxy looks for the issuer; empty: <Path>.issuer.
	IssuerFile string
	// IssuerOnlyInPEM says that it looks for it in no file beside the PEM.
	IssuerOnlyInPEM bool
	Leaf            *x509.Certificate
	Issuer          *x509.Certificate // nil: not known yet; everything is refused then
	// IssuerInPEM says that the PEM holds its issuer. Otherwise a running HAProxy
	// may lack it, even if a file beside the PEM has it by now.
	IssuerInPEM bool
	// IssuerKnown says that a starting HAProxy finds the issuer: in the PEM, in
	// <Path>.issuer or otherwise. Up to HAProxy 3.4 a .ocsp file without that
	// stops the start.
	IssuerKnown bool
	Names       []string
	MustStaple  bool
	WriteFile   bool
	// Placeholder: an empty file is written where there is none yet.
	Placeholder bool
	// ZeroWarning says that HAProxy's configuration has it not start with
	// warnings. A Target that is Strict says it too.
	ZeroWarning bool
	WriteIssuer bool // write <Path>.issuer where HAProxy does not know the issuer
	// IssuerChain follows the issuer in an issuer file that is written.
	IssuerChain []*x509.Certificate
	OnRevoked   string // "" or "staple", "keep", "remove"
	// NotHAProxy says that no HAProxy reads the file: its limits don't count.
	NotHAProxy bool
	Options    Options
	Targets    []Target

	// Pair, if it is of Leaf and Issuer, spares their proof; nil will do.
	Pair *staple.Pair

	pair *staple.Pair // of Leaf and Issuer; nil until Set
}

// Options are how responses to a certificate are verified.
type Options struct {
	AllowSHA1Signatures bool
	TrustedResponders   []*x509.Certificate
}

// file is where the response goes.
func (c *Certificate) file() string {
	if c.OCSPFile != "" {
		return c.OCSPFile
	}
	return c.Path + ".ocsp"
}

// issuerFile is where an issuer goes that HAProxy would miss.
func (c *Certificate) issuerFile() string {
	if c.IssuerFile != "" {
		return c.IssuerFile
	}
	return c.Path + ".issuer"
}

// verify judges a response for this certificate.
func (c *Certificate) verify(der []byte, now time.Time) (*staple.Facts, error) {
	if c.Issuer == nil {
		return nil, refuse(ReasonIssuerUnknown, "certificate %q: its issuer is not known", c.Name)
	}
	pair := c.pair
	if pair == nil {
		pair = staple.NewPair(c.Leaf, c.Issuer)
	}
	f, err := pair.Verify(der, staple.Options{
		Now:                 now,
		AllowSHA1Signatures: c.Options.AllowSHA1Signatures,
		TrustedResponders:   c.Options.TrustedResponders,
	})
	if err != nil {
		return nil, err
	}
	if f.Status != staple.Good && f.Status != staple.Revoked {
		return nil, &staple.Refusal{Reason: staple.StatusUnknown, Detail: "the responder does not know the certificate"}
	}
	// Kept for as long as the staple is: the signer would be the larger part.
	f.Signer = nil
	return f, nil
}

// supersedes is the one rule for which of two responses stays.
func supersedes(f, old *staple.Facts) bool {
	if old == nil {
		return true
	}
	return record.Supersedes(string(f.Status), f.ThisUpdate, string(old.Status), old.ThisUpdate)
}

// Staple is what a target is told. Facts.Signer is nil.
type Staple struct {
	Certificate Certificate
	Facts       *staple.Facts
	// File holds the response now. It is empty where no file is to be written,
	// where that failed, and where a revoked certificate's file was removed.
	File string
}

// Target is told of each new response. It must be comparable with ==, as a
// pointer is; the same value in several certificates is one target, which is
// told of one certificate at a time.
type Target interface {
	// Name is for logs and status.
	Name() string
	// Install makes the staple served. It returns nil only when that was seen.
	// It ends soon after ctx does; the timeout of a single try is its own.
	Install(ctx context.Context, s Staple) (Outcome, error)
	// Epoch is a word that changes when what is behind the target was restarted
	// or reloaded: then everything is installed again. Empty: never. On an error
	// the word before counts on.
	Epoch(ctx context.Context) (string, error)
}

// Batch is a Target to which several certificates together cost less.
type Batch interface {
	Target
	// InstallAll does for each of list what Install does for one; none of them
	// keeps another from being installed. What it returns is in their order.
	InstallAll(ctx context.Context, list []Staple) []Installed
	// AtOnce is the longest list that InstallAll is called with.
	AtOnce() int
}

// Installed is what an Install returns.
type Installed struct {
	Outcome Outcome
	Err     error
}

// Committer is a Target that serves what it was told of only after a step for
// all of it together, such as a reload.
type Committer interface {
	Target
	// Commit takes that step if it is due. It is called after Installs, once none
	// is left to do, and every few seconds; how often it acts is its own matter.
	// last says that nothing follows which it could wait for.
	// An error is about all that waits for the step.
	Commit(ctx context.Context, last bool) (Commitment, error)
}

// Commitment is what a Commit did.
type Commitment struct {
	Done bool // the step was taken
	// Wrong is what keeps single certificates from being served as they should,
	// by Certificate.Path. It holds until the next step.
	Wrong map[string]error
}

// Filed is the How of an Outcome that a Commit has to complete.
const Filed = "file"

// Reloaded is the How of an Outcome whose Install itself caused a new epoch.
const Reloaded = "reload"

// Outcome is how a target served a staple: a word such as "unchanged", "set",
// "transaction", Reloaded, "file", "run".
type Outcome struct {
	How    string
	Detail string
	// Served says that it was seen to be served: what a Commit found wrong with
	// the certificate holds no longer.
	Served bool
}

// Source is where responses come from: Consul, or data_dir without it. Follow
// calls deliver with what is newer than held says, at once, on each change, and
// after a wake for ids that were not there before. It returns nil with ctx.
type Source interface {
	Follow(ctx context.Context, ids func() []string, held func(id string) (record.Meta, bool),
		deliver func(ctx context.Context, list []record.Staple), wake <-chan struct{}) error
}

// Store keeps the verified responses over restarts.
type Store interface {
	Staple(id string) (record.Staple, bool, error)
	Put(record.Staple) (changed bool, err error)
	Replace(record.Staple) error
}

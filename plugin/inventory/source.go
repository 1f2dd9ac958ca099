package inventory

import (
	"crypto/x509"
	"fmt"

	"github.com/consul-ocsp/consul-ocsp/plugin/staple"
)

// Source is where a job's certificates are.
type Source struct {
	Job          string
	Certificates []Single
	Sets         []Set
	// CrtLists are HAProxy's lists of certificates, HAProxyConfigs its
	// configuration: the files of one process in the order in which it reads them.
	// What they say of files beside certificates holds for all of the source.
	CrtLists, HAProxyConfigs []string
	// Discovered are files that a running HAProxy serves.
	Discovered []string
}

// Single is one certificate, named by the operator. Paths are absolute.
type Single struct {
	Name, Path string
	Issuer     string // file with the issuer, among others perhaps; empty: look for it
	OCSPFile   string // empty: <Path>.ocsp
}

// Set is what globs and folders hold. A pattern is an absolute path of a
// folder, of a file, or a glob, where ** stands for any number of folders. A
// folder stands for the files right in it. Exclude takes absolute globs, and
// globs without a "/" for the file's name alone.
type Set struct {
	Paths, Exclude []string
}

// IssuerFrom says where an issuer was found.
type IssuerFrom string

// The places, in the order in which they are looked at.
const (
	FromConfig  IssuerFrom = "config" // the file that the operator named
	FromPEM     IssuerFrom = "pem"
	FromChains  IssuerFrom = "chains" // HAProxy's issuers-chain-path
	FromFile    IssuerFrom = "file"   // beside the PEM
	FromNowhere IssuerFrom = ""
)

// Certificate is one certificate file.
type Certificate struct {
	ID       string // staple.ID of Leaf
	Job      string
	Name     string // [A-Za-z0-9._-], one of its kind within the job
	Path     string // as configured or found, links not resolved: HAProxy knows it by this
	OCSPFile string
	// Leaf has its DER, and of the parsed fields those that tell when it ends, who
	// issued it and whom to ask.
	Leaf *x509.Certificate
	// Issuer passes staple.CheckIssuer. It is nil where none was found; the same
	// issuer of many certificates is one pointer.
	Issuer     *x509.Certificate
	IssuerFrom IssuerFrom
	// Pair is Leaf and Issuer, proven, where the issuer is in the PEM; else nil.
	Pair *staple.Pair
	// IssuerFile is where HAProxy looks for the issuer if the PEM lacks it: usually
	// <Path>.issuer; empty where it looks for none.
	IssuerFile string
	// IssuerInPEM and IssuerInFile say where HAProxy finds an issuer on its own;
	// its issuers-chain-path counts as a file. Neither: a .ocsp file would stop
	// its start.
	IssuerInPEM, IssuerInFile bool
	// SelfUpdating: HAProxy's configuration has it fetch the response itself too.
	SelfUpdating bool
	// ZeroWarning: that configuration has HAProxy not start with warnings.
	ZeroWarning bool
	// Discovered: nothing but a running HAProxy named it.
	Discovered bool
	Names      []string // host names, as staple.Names gives them
	MustStaple bool
}

// IssuerKnown tells whether HAProxy finds the issuer on its own.
func (c *Certificate) IssuerKnown() bool { return c.IssuerInPEM || c.IssuerInFile }

// Problem is a certificate, a file or a pattern that could not be used, or only
// in part. Name and Path are empty where they are not known.
type Problem struct {
	Job, Name, Path string
	Err             error
}

// Error is the whole on one line.
func (p Problem) Error() string {
	what := p.Path
	if p.Name != "" {
		what = fmt.Sprintf("certificate %q: %s", p.Name, p.Path)
	}
	return fmt.Sprintf("job %q: %s: %v", p.Job, what, p.Err)
}

// InFile is the whole without job and name, for where those are said otherwise.
func (p Problem) InFile() error { return fmt.Errorf("%s: %w", p.Path, p.Err) }

// Unwrap returns the cause.
func (p Problem) Unwrap() error { return p.Err }

// Package restaple renews the staple of one certificate, once and without a job
// file: it fetches and verifies a response, writes the .issuer and .ocsp files, and
// has one HAProxy staple it.
package restaple

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/consul-ocsp/consul-ocsp/plugin/responder"
	"github.com/consul-ocsp/consul-ocsp/plugin/staple"
)

// One says what to do for one certificate.
type One struct {
	// Certificate is the PEM that HAProxy loads. A <Certificate>.issuer beside it
	// counts before the chain in it.
	Certificate string
	// URL replaces the certificate's responders, Host the Host header; Proxy is a
	// URL or host:port, empty: the environment's.
	URL, Host, Proxy string
	// TrustedSigners is a file of certificates that may sign besides the issuer
	// and its delegates; "-": the chain of the certificate.
	TrustedSigners string
	// AnySigner accepts whoever signed, if his certificate is at hand. Signature,
	// CertID and times are verified all the same.
	AnySigner bool
	// GoodOnly refuses a response that says revoked.
	GoodOnly bool
	// DryRun ends before anything is written, SkipPush before HAProxy is told.
	DryRun, SkipPush bool
	// Socket is HAProxy's; Reload a command for what only a reload can do, empty:
	// never. LockDir must be that of all who speak to the socket.
	Socket, LockDir string
	Reload          []string
	TrustedFolders  []string
	Version         string
	Logger          hclog.Logger
	// Tell is told each step in words.
	Tell func(format string, args ...any)
}

// Result is how far a run came; what it did not come to is zero.
type Result struct {
	Leaf, Issuer *x509.Certificate
	Chain        []*x509.Certificate // the issuer, then the further ones at hand
	Signers      []*x509.Certificate // trusted besides the issuer's own
	// DER is the last answer, verified or not; Facts only what verified.
	DER   []byte
	Facts *staple.Facts
	// How HAProxy was told: "set", "transaction" and so on; empty: it was not.
	How string
	// NotRunning is set where nobody listens at HAProxy's socket: the file will be
	// read at its start.
	NotRunning error
}

// Stage is where a run failed.
type Stage string

// The stages of a run.
const (
	StageCertificate Stage = "certificate" // it, its chain, or the trusted signers
	StageExchange    Stage = "exchange"    // no answer
	StageNoURL       Stage = "no-url"      // nobody to ask
	StageForm        Stage = "form"        // a PEM or URL that is none
	StageResponse    Stage = "response"    // refused, or not good
	StageInstall     Stage = "install"     // the file, the socket, or HAProxy's no
)

// Error says where a run failed.
type Error struct {
	Stage Stage
	Err   error
}

func (e *Error) Error() string { return e.Err.Error() }
func (e *Error) Unwrap() error { return e.Err }

func failedAt(s Stage, format string, args ...any) error {
	return &Error{Stage: s, Err: fmt.Errorf(format, args...)}
}

// run is one under way.
type run struct {
	One
	client *responder.Client
	inPEM  []*x509.Certificate // the chain that HAProxy has loaded, too
	got    Result
}

// Run does it. Its error is an *[Error]; what was found until then is returned
// beside it.
func Run(ctx context.Context, one One) (*Result, error) {
	if one.Tell == nil {
		one.Tell = func(string, ...any) {}
	}
	if one.Logger == nil {
		one.Logger = hclog.NewNullLogger()
	}
	r := &run{One: one, client: responder.New(responder.Config{UserAgent: "consul-ocsp/" + one.Version})}
	defer r.client.Close()
	return &r.got, r.steps(ctx)
}

func (r *run) steps(ctx context.Context) error {
	path, err := filepath.Abs(r.Certificate)
	if err != nil {
		return failedAt(StageCertificate, "%w", err)
	}
	r.Certificate = path
	for _, step := range []func(context.Context) error{r.read, r.findIssuer, r.findSigners, r.ask, r.judge} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	if r.DryRun {
		r.Tell("dry run: nothing is written, and HAProxy is told nothing")
		return nil
	}
	return r.install(ctx)
}

// judge refuses what is verified and must not be stapled.
func (r *run) judge(context.Context) error {
	f := r.got.Facts
	switch {
	case f.Status == staple.Unknown:
		return failedAt(StageResponse, "%s: the responder does not know the certificate (status unknown)", r.Certificate)
	case f.Status != staple.Good && r.GoodOnly:
		return failedAt(StageResponse, "%s: the status is %s, and only good is wanted", r.Certificate, f.Status)
	}
	err := f.FitsHAProxy(time.Now())
	var refusal *staple.Refusal
	if errors.As(err, &refusal) && refusal.Reason == staple.TooLarge && len(f.Unstaplable) == 0 {
		return nil // the file is good for it
	}
	if err != nil {
		return failedAt(StageResponse, "%s: %w", r.Certificate, err)
	}
	return nil
}

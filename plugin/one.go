package plugin

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"time"

	"github.com/google/renameio/v2"

	"github.com/consul-ocsp/consul-ocsp/plugin/fetcher"
	"github.com/consul-ocsp/consul-ocsp/plugin/foldersync"
	"github.com/consul-ocsp/consul-ocsp/plugin/inventory"
	"github.com/consul-ocsp/consul-ocsp/plugin/issuer"
	"github.com/consul-ocsp/consul-ocsp/plugin/record"
	"github.com/consul-ocsp/consul-ocsp/plugin/regularfile"
	"github.com/consul-ocsp/consul-ocsp/plugin/responder"
	"github.com/consul-ocsp/consul-ocsp/plugin/settings"
	"github.com/consul-ocsp/consul-ocsp/plugin/staple"
)

// FetchOne names one certificate and what to do with its response, without a
// job file: the command line of openssl ocsp -respout.
type FetchOne struct {
	// Certificate and Issuer are files; an empty Issuer is looked for in the
	// PEM, beside it, and behind the certificate's own URL.
	Certificate, Issuer string
	// URL replaces the certificate's responders, Host the Host header.
	URL, Host string
	// Out is the file for the response; empty: none.
	Out string
}

// ErrNotApplicable says that a certificate names no responder and none was
// given: there is nothing to fetch.
var ErrNotApplicable = errors.New("no responder's URL")

// FetchCertificate fetches and verifies one response, and writes it where a
// file is named for it. Nothing that was not verified is written, and nothing
// older over something newer. A certificate without a responder is
// ErrNotApplicable.
func FetchCertificate(ctx context.Context, one FetchOne, version string) (*staple.Facts, error) {
	c, err := inventory.ReadFile(one.Certificate)
	if err != nil {
		return nil, err
	}
	client := responder.New(responder.Config{UserAgent: "consul-ocsp/" + version})
	defer client.Close()
	if c.Issuer, err = oneIssuer(ctx, client, one, c.Leaf, c.Issuer); err != nil {
		return nil, fmt.Errorf("%s: %w", one.Certificate, err)
	}
	if len(c.Leaf.OCSPServer) == 0 && one.URL == "" {
		return nil, fmt.Errorf("%s: %w", one.Certificate, ErrNotApplicable)
	}
	facts, err := ask(ctx, client, one, c.Leaf, c.Issuer)
	if err != nil {
		return nil, err
	}
	return facts, writeOne(one.Out, facts, c.Leaf, c.Issuer)
}

// ask has a fetcher ask the responders, so that this command is no worse a
// client than the agent: each URL by each method, past caches that kept a
// response too long.
func ask(ctx context.Context, client *responder.Client, one FetchOne, leaf, issuer *x509.Certificate) (*staple.Facts, error) {
	t := fetcher.Target{ID: staple.ID(leaf), Leaf: leaf, Issuer: issuer, Settings: fetcher.Settings{Host: one.Host}}
	if one.URL != "" {
		t.Settings.Responders = []string{one.URL}
	}
	f := fetcher.New(fetcher.Config{Client: client, Store: oneFile{path: one.Out, target: t}})
	f.Set([]fetcher.Target{t})
	// Dry: this package writes the file, and nobody is told.
	r := f.Pass(ctx, fetcher.PassOptions{Force: true, DryRun: true})[0]
	switch {
	case r.Err != nil:
		return nil, r.Err
	case r.Outcome == fetcher.Unchanged && r.Reason == fetcher.Older:
		return nil, holdsNewer(one.Out, r.Staple.Meta.ThisUpdate)
	case r.Staple == nil:
		return nil, fmt.Errorf("%s: nothing to fetch: %s", one.Certificate, r.Reason)
	}
	return staple.Verify(r.Staple.DER, leaf, issuer, staple.Options{Now: time.Now()})
}

// oneFile is what a fetcher finds of one certificate. It is not written through
// this.
type oneFile struct {
	path   string
	target fetcher.Target
}

func (f oneFile) Staple(string) (record.Staple, bool, error) {
	der, _, err := regularfile.Read(f.path, staple.MaxResponse)
	if err != nil {
		return record.Staple{}, false, nil // what can't be read stays, says writeOne
	}
	facts, err := staple.Verify(der, f.target.Leaf, f.target.Issuer, staple.Options{Now: time.Now()})
	if err != nil || facts.Status == staple.Unknown {
		return record.Staple{}, false, nil
	}
	return fetcher.NewStaple(facts, f.target, ""), true, nil
}

func (oneFile) Put(record.Staple) (bool, error) { return false, errors.ErrUnsupported }

func (oneFile) Replace(record.Staple) error { return errors.ErrUnsupported }

// oneIssuer is the issuer that is named, else the one that was found in the
// files, else the one behind the certificate's URL.
func oneIssuer(ctx context.Context, client *responder.Client, one FetchOne, leaf, found *x509.Certificate) (*x509.Certificate, error) {
	if one.Issuer != "" {
		candidates, err := settings.ReadCertificates("issuer", one.Issuer)
		if err != nil {
			return nil, err
		}
		if issuer := staple.FindIssuer(leaf, candidates); issuer != nil {
			return issuer, nil
		}
		return nil, fmt.Errorf("%s holds no certificate that issued it", one.Issuer)
	}
	if found != nil {
		return found, nil
	}
	return issuer.Finder{Client: client}.Find(ctx, leaf, responder.IssuerRequest{})
}

// writeOne puts the response into the file, unless what is there stands by the
// rule for which of two responses stays. What can't be read is not replaced:
// it may be newer.
func writeOne(path string, facts *staple.Facts, leaf, issuer *x509.Certificate) error {
	if path == "" {
		return nil
	}
	old, _, err := regularfile.Read(path, staple.MaxResponse)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if held, err := staple.Verify(old, leaf, issuer, staple.Options{Now: time.Now()}); err == nil && held.Status != staple.Unknown {
		switch {
		case record.Supersedes(string(facts.Status), facts.ThisUpdate, string(held.Status), held.ThisUpdate):
		case held.ThisUpdate.After(facts.ThisUpdate):
			return holdsNewer(path, held.ThisUpdate)
		case held.Status != facts.Status:
			return fmt.Errorf("%s holds a response of the same time that says %s; it stays", path, held.Status)
		default:
			return nil // the same answer again
		}
	}
	if err := renameio.WriteFile(path, facts.DER, 0o644); err != nil {
		return err
	}
	return foldersync.Once(filepath.Dir(path))
}

func holdsNewer(path string, thisUpdate time.Time) error {
	return fmt.Errorf("%s holds a newer response, of %s; it stays", path, thisUpdate.UTC().Format(time.RFC3339))
}

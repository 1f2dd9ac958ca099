package plugin

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"time"

	"github.com/google/renameio/v2"

	"github.com/consul-ocsp/consul-ocsp/plugin/record"
	"github.com/consul-ocsp/consul-ocsp/plugin/responder"
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
	c, err := readCertificate(one.Certificate)
	if err != nil {
		return nil, err
	}
	client := responder.New(responder.Config{UserAgent: "consul-ocsp/" + version})
	defer client.Close()
	if c.Issuer, err = oneIssuer(ctx, client, one, c.Leaf, c.Issuer); err != nil {
		return nil, fmt.Errorf("%s: %w", one.Certificate, err)
	}
	urls := c.Leaf.OCSPServer
	if one.URL != "" {
		urls = []string{one.URL}
	}
	if len(urls) == 0 {
		return nil, fmt.Errorf("%s: %w", one.Certificate, ErrNotApplicable)
	}
	request, err := staple.NewRequest(c.Leaf, c.Issuer)
	if err != nil {
		return nil, err
	}
	facts, err := askAll(ctx, client, urls, responder.Request{OCSP: request, Host: one.Host, Guard: responder.Guard{AllowPrivate: true}}, c.Leaf, c.Issuer)
	if err != nil {
		return nil, err
	}
	return facts, writeOne(one.Out, facts, c.Leaf, c.Issuer)
}

// oneIssuer is the issuer that is named, else the one that was found in the
// files, else the one behind the certificate's URL.
func oneIssuer(ctx context.Context, client *responder.Client, one FetchOne, leaf, found *x509.Certificate) (*x509.Certificate, error) {
	if one.Issuer != "" {
		candidates, err := readCertificates("issuer", one.Issuer)
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
	return issuers{client: client}.find(ctx, leaf, fetch{})
}

// askAll asks the responders in order until an answer verifies.
func askAll(ctx context.Context, client *responder.Client, urls []string, r responder.Request, leaf, issuer *x509.Certificate) (*staple.Facts, error) {
	var failures []error
	for _, url := range urls {
		r.URL = url
		answer, err := client.Exchange(ctx, r)
		if err != nil {
			failures = append(failures, err)
			continue
		}
		facts, err := staple.Verify(answer.Body, leaf, issuer, staple.Options{Now: time.Now()})
		if err == nil && facts.Status == staple.Unknown {
			err = errors.New("the responder does not know the certificate")
		}
		if err != nil {
			failures = append(failures, fmt.Errorf("%s: %w", url, err))
			continue
		}
		return facts, nil
	}
	return nil, errors.Join(failures...)
}

// writeOne puts the response into the file, unless what is there stands by the
// rule for which of two responses stays. What can't be read is not replaced:
// it may be newer.
func writeOne(path string, facts *staple.Facts, leaf, issuer *x509.Certificate) error {
	if path == "" {
		return nil
	}
	old, err := readOne(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if held, err := staple.Verify(old, leaf, issuer, staple.Options{Now: time.Now()}); err == nil && held.Status != staple.Unknown {
		switch {
		case record.Supersedes(string(facts.Status), facts.ThisUpdate, string(held.Status), held.ThisUpdate):
		case held.ThisUpdate.After(facts.ThisUpdate):
			return fmt.Errorf("%s holds a newer response, of %s; it stays", path, held.ThisUpdate.UTC().Format(time.RFC3339))
		case held.Status != facts.Status:
			return fmt.Errorf("%s holds a response of the same time that says %s; it stays", path, held.Status)
		default:
			return nil // the same answer again
		}
	}
	return renameio.WriteFile(path, facts.DER, 0o644)
}

func readOne(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, staple.MaxResponse+1))
}

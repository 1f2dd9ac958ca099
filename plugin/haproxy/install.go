package haproxy

import (
	"context"
	"encoding/base64"
	"errors"
	"strings"
	"time"
)

const (
	// MinLife is the shortest remaining life of a response that is installed.
	// HAProxy stops stapling 5 min before nextUpdate, and a response closer
	// to its end destroys the good one that is held.
	MinLife = 10 * time.Minute
	// stapledUntil is how long before nextUpdate HAProxy stops stapling
	// (OCSP_MAX_RESPONSE_TIME_SKEW).
	stapledUntil = 5 * time.Minute
	// attempts bounds how often a push is repeated because the worker changed.
	attempts = 3
)

// Method says by which ways a response may reach HAProxy.
type Method string

const (
	MethodAuto   Method = "auto"   // set, else transaction, else reload where there is a way
	MethodPush   Method = "push"   // set, else transaction; never a reload
	MethodReload Method = "reload" // the files are read again
	MethodFile   Method = "file"   // nothing is said to HAProxy
)

// Certificate is a certificate with the response that is to be stapled for it.
// The caller has verified the response.
type Certificate struct {
	Path            string // as the caller knows it; HAProxy's own name is found by the fingerprint
	FingerprintSHA1 string // hex, of the leaf's DER; colons and upper case are fine
	CertID          []byte // DER, SHA-1 with NULL parameters
	IssuerPEM       []byte // non-nil: HAProxy does not find the issuer in the PEM
	OCSP            []byte // the response, DER
	ThisUpdate      time.Time
	NextUpdate      time.Time
	Revoked         bool
}

// How says by which way a response came to be stapled.
type How string

const (
	HowUnchanged   How = "unchanged"   // HAProxy held exactly this response
	HowNewer       How = "newer"       // HAProxy holds a newer one, which was left alone
	HowSet         How = "set"         // set ssl ocsp-response
	HowTransaction How = "transaction" // set ssl cert, commit ssl cert
	HowReload      How = "reload"
	HowFile        How = "file" // nothing was said to HAProxy
)

// Outcome is HAProxy's own word after an installation.
type Outcome struct {
	How     How
	Pid     int // the worker that holds the response
	Version string
}

// Install has a response stapled and returns nil only when HAProxy shows that
// it holds it. With MethodAuto a reload happens at once where a push cannot
// help and there is a way; a caller that paces reloads uses MethodPush,
// Error.NeedsReload, and then MethodReload. The file must be written before.
func (c *Client) Install(ctx context.Context, method Method, cert Certificate) (Outcome, error) {
	if method == MethodFile {
		return Outcome{How: HowFile}, nil
	}
	if err := c.fits(cert); err != nil {
		return Outcome{}, err
	}
	if method == MethodReload {
		return c.installByReload(ctx, cert)
	}
	out, err := c.push(ctx, cert)
	var e *Error
	if method == MethodAuto && errors.As(err, &e) && e.NeedsReload() {
		byReload, reloadErr := c.installByReload(ctx, cert)
		if KindOf(reloadErr) == KindNoReload {
			return out, err // the first reason says more
		}
		return byReload, reloadErr
	}
	return out, err
}

// fits refuses what HAProxy would not take, or would lose a good staple over.
func (c *Client) fits(cert Certificate) error {
	if left := cert.NextUpdate.Sub(c.config.Now()); left < MinLife {
		return c.fail(KindShortLived, "", "the response for %s ends in %s, HAProxy needs %s", cert.Path, left.Truncate(time.Second), MinLife)
	}
	if len(cert.OCSP) == 0 || cert.ThisUpdate.IsZero() {
		return c.fail(KindRefused, "", "no response for %s, or none with a thisUpdate", cert.Path)
	}
	return nil
}

// push tries again when the worker was replaced meanwhile: the response may
// have reached the one that goes.
func (c *Client) push(ctx context.Context, cert Certificate) (Outcome, error) {
	pushed := HowUnchanged
	for range attempts {
		out, same, err := c.pushOnce(ctx, cert)
		if err != nil {
			return Outcome{}, err
		}
		if out.How == HowUnchanged {
			out.How = pushed // it was this worker, after all, that was pushed to
		}
		if same {
			return out, nil
		}
		pushed = out.How
		c.config.Logger.Info("HAProxy's worker changed while a response was pushed, again", "socket", c.config.Socket, "certificate", cert.Path)
	}
	return Outcome{}, c.fail(KindRestarting, "", "the worker changed %d times while the response for %s was pushed; is HAProxy reloaded in a loop?", attempts, cert.Path)
}

func (c *Client) pushOnce(ctx context.Context, cert Certificate) (out Outcome, same bool, err error) {
	s, err := c.reopen(ctx)
	if err != nil {
		return Outcome{}, false, err
	}
	defer s.close()
	before := s.info
	out = Outcome{Pid: before.Pid, Version: before.Version}
	if out.How, err = s.install(ctx, cert); err != nil {
		c.last = Info{} // perhaps of a worker that is gone
		return Outcome{}, false, err
	}
	if err := s.identify(ctx); err != nil {
		return Outcome{}, false, err
	}
	return out, s.info.Same(before), nil
}

// install goes from the cheapest way to the dearest and reads back.
func (s *session) install(ctx context.Context, cert Certificate) (How, error) {
	held, err := s.held(ctx, cert.CertID)
	if err != nil {
		return "", err
	}
	unregistered, err := s.unregistered(ctx, cert, held)
	if err != nil {
		return "", err
	}
	if held.Registered && len(unregistered) == 0 {
		switch {
		case held.is(cert):
			return HowUnchanged, nil
		case s.c.outranks(held, cert):
			return HowNewer, nil
		}
	}
	how := HowSet
	if held.Registered {
		err = s.set(ctx, cert)
		if KindOf(err) == KindNotRegistered {
			// Bytewise another CertID (absent parameters, for one): the
			// transaction compares by value.
			held.Registered = false
			if unregistered, err = s.unregistered(ctx, cert, held); err != nil {
				return "", err
			}
		}
		if err != nil {
			return "", err
		}
	}
	for _, name := range unregistered {
		how = HowTransaction
		if err := s.register(ctx, name, cert); err != nil {
			return "", err
		}
	}
	return how, s.readBack(ctx, cert)
}

// outranks says whether what HAProxy holds must not be replaced: it is newer,
// or as new and revoked. One that HAProxy does not staple any more, because it
// ends, counts only if it is revoked.
func (c *Client) outranks(held Held, cert Certificate) bool {
	if !held.Present {
		return false
	}
	stapled := held.NextUpdate.Sub(c.config.Now()) > stapledUntil
	return held.ThisUpdate.After(cert.ThisUpdate) && (stapled || held.Revoked) ||
		held.ThisUpdate.Equal(cert.ThisUpdate) && held.Revoked && !cert.Revoked
}

// unregistered returns the names under which HAProxy serves the certificate
// without taking responses for it yet. The same certificate loaded twice can
// be registered under one name only, and would be stapled only there.
func (s *session) unregistered(ctx context.Context, cert Certificate, held Held) ([]string, error) {
	details, err := s.namesOf(ctx, cert)
	if KindOf(err) == KindPermission && held.Registered {
		return nil, nil // the plain set may still be allowed
	}
	if err != nil {
		return nil, err
	}
	if len(details) == 0 && !held.Registered {
		return nil, s.c.fail(KindNotServed, "show ssl cert", "HAProxy does not serve the certificate of %s (SHA-1 fingerprint %s); it does after a reload if its configuration names this file", cert.Path, fingerprint(cert.FingerprintSHA1))
	}
	if held.Registered && len(details) <= 1 {
		return nil, nil
	}
	var names []string
	for _, d := range details {
		// On 2.6 the key is missing too where an empty response was loaded.
		if !held.Registered || d.ocspKey == "" {
			names = append(names, d.name)
		}
	}
	return names, nil
}

func (s *session) set(ctx context.Context, cert Certificate) error {
	if err := s.pace(ctx, 1); err != nil {
		return err
	}
	answer, err := s.send(ctx, setCommand, base64.StdEncoding.EncodeToString(cert.OCSP))
	if err != nil {
		return err
	}
	return s.wasSet(answer)
}

const setCommand = "set ssl ocsp-response"

// wasSet reads the answer to setCommand.
func (s *session) wasSet(answer string) error {
	if !strings.Contains(answer, "OCSP Response updated!") {
		return s.c.answerError(setCommand, answer)
	}
	return nil
}

// readBack asks whether HAProxy holds what it was given: "Success!" and
// "updated!" are also said for what was ignored.
func (s *session) readBack(ctx context.Context, cert Certificate) error {
	held, err := s.held(ctx, cert.CertID)
	if err != nil {
		return err
	}
	return s.isHeld(held, cert)
}

// isHeld says why what HAProxy holds is not what it was given.
func (s *session) isHeld(held Held, cert Certificate) error {
	const command = "show ssl ocsp-response"
	switch {
	case held.is(cert):
		return nil
	case !held.Registered:
		return s.c.fail(KindNotRegistered, command, "HAProxy does not list the CertID of %s: it loaded no response for it, or knows another issuer", cert.Path)
	case !held.Present:
		return s.c.fail(KindRefused, command, "HAProxy ignored the response for %s; its log says why", cert.Path)
	}
	return s.c.fail(KindRefused, command, "HAProxy holds another response for %s, from %s; is somebody else pushing?", cert.Path, held.ThisUpdate.Format(time.RFC3339))
}

package fetcher

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/consul-ocsp/consul-ocsp/plugin/responder"
	"github.com/consul-ocsp/consul-ocsp/plugin/staple"
)

// failure is an exchange that brought no response to keep.
type failure struct {
	reason string
	err    error
	// retryAfter is what the responder asked for.
	retryAfter time.Duration
	// retryPOST says that a GET was answered in a way that a cache between may
	// have caused.
	retryPOST bool
}

// exchange asks one responder for t and verifies what it says. The method is ""
// for the usual one.
func (f *Fetcher) exchange(ctx context.Context, t Target, url, method string) (*staple.Facts, *failure) {
	request, err := staple.NewRequest(t.Leaf, t.Issuer)
	if err != nil {
		return nil, &failure{reason: Request, err: err}
	}
	answer, err := f.ask(ctx, responder.Request{
		URL: url, OCSP: request, Host: t.Settings.Host, Method: method, Timeout: t.Settings.Timeout,
		Proxy: t.Settings.Proxy, Guard: t.guard(),
	})
	f.count(answer, err)
	if err != nil {
		return nil, f.transport(url, err)
	}
	return f.judge(t, url, answer)
}

// transport is the failure of an exchange without an answer.
func (f *Fetcher) transport(url string, err error) *failure {
	var failed *responder.Failure
	if errors.As(err, &failed) {
		return &failure{reason: string(failed.Reason), err: err, retryAfter: failed.RetryAfter}
	}
	return &failure{reason: string(responder.Protocol), err: fmt.Errorf("responder %.200q: %w", url, err)}
}

// judge verifies an answer.
func (f *Fetcher) judge(t Target, url string, a *responder.Answer) (*staple.Facts, *failure) {
	now := f.c.Now()
	if ahead := a.Date.Sub(now); !a.Date.IsZero() && ahead.Abs() > staple.Skew {
		f.c.Logger.Debug("the responder's clock differs from ours", "responder", url, "ahead", ahead.Round(time.Second))
	}
	facts, err := verify(a.Body, t, now)
	if err != nil {
		reason := string(staple.ReasonOf(err))
		err = fmt.Errorf("responder %.200q: %w", url, err)
		if a.HTTPStatus != http.StatusOK {
			err = fmt.Errorf("%w (HTTP status %d)", err, a.HTTPStatus)
		}
		return nil, &failure{reason: reason, err: err, retryAfter: a.RetryAfter}
	}
	if facts.Status == staple.Unknown {
		return nil, &failure{
			reason: Unknown, err: fmt.Errorf("responder %.200q: status unknown", url), retryAfter: a.RetryAfter,
			retryPOST: a.Method == http.MethodGet,
		}
	}
	return facts, nil
}

func (f *Fetcher) count(a *responder.Answer, err error) {
	var failed *responder.Failure
	f.mu.Lock()
	defer f.mu.Unlock()
	switch {
	case a != nil:
		f.counts.Requests += uint64(a.Requests)
		if a.WrongType {
			f.counts.WrongTypes++
		}
	case errors.As(err, &failed):
		f.counts.Requests += uint64(failed.Requests)
	}
}

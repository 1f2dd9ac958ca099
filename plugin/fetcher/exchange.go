package fetcher

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/consul-ocsp/consul-ocsp/plugin/record"
	"github.com/consul-ocsp/consul-ocsp/plugin/responder"
	"github.com/consul-ocsp/consul-ocsp/plugin/staple"
)

// question is what one exchange asks.
type question struct {
	url string
	how how
	// validators are those that this responder gave with held; zero where it
	// gave none, or something else is held by now.
	validators responder.Validators
	held       *record.Staple
}

// why is the reason, "" of nil.
func (f *failure) why() string {
	if f == nil {
		return ""
	}
	return f.reason
}

// how a responder is asked.
type how int

const (
	usually  how = iota // by what worked last time, GET in most cases
	uncached            // by GET, past caches
	byPOST              // as no cache answers
)

// reply is a verified response and what came with it.
type reply struct {
	staple record.Staple
	// cached says that a cache may have given it.
	cached bool
	// validators are the server's, freshUntil what its max-age says.
	validators responder.Validators
	freshUntil time.Time
}

// failure is an exchange that brought no response to keep.
type failure struct {
	reason string
	err    error
	// retryAfter is what the responder asked for.
	retryAfter time.Duration
	// signal is what it says of the host.
	signal signal
	// then is how to ask again, since a cache may have caused this; usually:
	// not at all.
	then how
}

// exchange asks one responder for t and verifies what it says.
func (f *Fetcher) exchange(ctx context.Context, t Target, q question) (*reply, *failure) {
	request, err := t.request()
	if err != nil {
		return nil, &failure{reason: Request, err: err}
	}
	r := responder.Request{
		URL: q.url, OCSP: request, Host: t.Settings.Host, Timeout: t.Settings.Timeout,
		Proxy: t.Settings.Proxy, Guard: t.guard(), Held: q.validators,
	}
	switch q.how {
	case uncached:
		r.Method, r.NoCache = http.MethodGet, true
	case byPOST:
		r.Method = http.MethodPost
	}
	answer, err := f.ask(ctx, r)
	f.count(answer, err, q.how)
	if err != nil {
		return nil, f.transport(q.url, err)
	}
	f.compareClocks(q.url, answer.Date)
	st, failed := f.judge(t, q, answer)
	if failed != nil {
		failed.retryAfter = answer.RetryAfter
		failed.signal = signalOfRefusal(failed.reason, answer.RetryAfter)
		return nil, failed
	}
	return &reply{
		staple: st, cached: answer.Method == http.MethodGet,
		validators: answer.Validators, freshUntil: answer.FreshUntil,
	}, nil
}

// transport is the failure of an exchange without an answer.
func (f *Fetcher) transport(url string, err error) *failure {
	var failed *responder.Failure
	if errors.As(err, &failed) {
		return &failure{reason: string(failed.Reason), err: err, retryAfter: failed.RetryAfter, signal: signalOf(failed)}
	}
	return &failure{reason: string(responder.Protocol), err: fmt.Errorf("responder %.200q: %w", url, err), signal: answered}
}

// judge verifies an answer. One that is not sent again is what is held, which
// is verified again too: it may have ended.
func (f *Fetcher) judge(t Target, q question, a *responder.Answer) (record.Staple, *failure) {
	der := a.Body
	if a.NotModified {
		if q.held == nil {
			return record.Staple{}, &failure{reason: string(responder.NotModified), err: fmt.Errorf("responder %.200q: status 304 for nothing that is held", q.url)}
		}
		der = q.held.DER
	}
	facts, err := f.verify(der, t, f.c.Now())
	if err != nil {
		failed := &failure{reason: string(staple.ReasonOf(err)), err: fmt.Errorf("responder %.200q: %w", q.url, err)}
		if a.HTTPStatus != http.StatusOK {
			failed.err = fmt.Errorf("%w (HTTP status %d)", failed.err, a.HTTPStatus)
		}
		if a.Method == http.MethodGet && staple.ReasonOf(err) == staple.Expired {
			failed.then = q.how + 1
		}
		return record.Staple{}, failed
	}
	if facts.Status == staple.Unknown {
		failed := &failure{reason: Unknown, err: fmt.Errorf("responder %.200q: status unknown", q.url)}
		if a.Method == http.MethodGet {
			failed.then = byPOST
		}
		return record.Staple{}, failed
	}
	f.remarkOn(q.url, a, facts.Warnings)
	if a.NotModified {
		return *q.held, nil
	}
	return NewStaple(facts, t, q.url), nil
}

func (f *Fetcher) count(a *responder.Answer, err error, h how) {
	var failed *responder.Failure
	f.mu.Lock()
	defer f.mu.Unlock()
	if h != usually {
		f.counts.Repeated++
	}
	switch {
	case a != nil:
		f.counts.Requests += uint64(a.Requests)
		if a.NotModified {
			f.counts.NotModified++
		}
	case errors.As(err, &failed):
		f.counts.Requests += uint64(failed.Requests)
	}
}

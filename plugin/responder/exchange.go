package responder

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// Request is one question to one responder.
type Request struct {
	// URL is the responder's, as in the certificate's AIA extension.
	URL string
	// OCSP is the DER of the OCSPRequest.
	OCSP []byte
	// Host replaces the Host header of the first request; empty: the URL's.
	Host string
	// Method is http.MethodGet or http.MethodPost for that one alone; empty:
	// the usual one, then the other if that fails.
	Method string
	// Held are the validators of the answer that is held: asked by GET, the
	// server may then say that there is no other.
	Held Validators
	// NoCache tells caches on the way to ask the responder itself.
	NoCache bool
	// Timeout bounds the whole exchange; 0: DefaultTimeout.
	Timeout time.Duration
	// Proxy is a URL or host:port; empty: the client's. Hosts of NO_PROXY and
	// loopback are asked directly all the same.
	Proxy string
	Guard Guard
}

// Answer is a body with the outer form of an OCSPResponse. It is not verified.
type Answer struct {
	// NotModified says that the server has no other answer than the one whose
	// validators were sent. Then there is no Body and no Status.
	NotModified bool
	// Body is the DER as it came, at most MaxBody bytes.
	Body []byte
	// Status is the OCSPResponseStatus in it: 0 is successful.
	Status int
	// URL is where the body came from, after redirects.
	URL string
	// Method is the one that brought the answer.
	Method string
	// HTTPStatus may be an error: some responders send OCSP statuses so.
	HTTPStatus int
	// ContentType is as the server sent it; WrongType says that it is not
	// application/ocsp-response.
	ContentType string
	WrongType   bool
	// Validators are those of the answer.
	Validators Validators
	// FreshUntil is how long the server wants the answer to be kept, zero where
	// it does not say. It may have passed.
	FreshUntil time.Time
	// Date is the server's clock, zero where it sent none.
	Date time.Time
	// RetryAfter is what the server asked for, 0 to 24 h.
	RetryAfter time.Duration
	// Requests is how many HTTP requests were sent, redirects included.
	Requests int
}

const (
	typeRequest  = "application/ocsp-request"
	typeResponse = "application/ocsp-response"
)

// malformedRequest is the OCSPResponseStatus of a responder that could not read
// the request (RFC 6960 section 4.2.1).
const malformedRequest = 1

// Exchange asks a responder: by GET if the URL is at most MaxGETURL bytes long,
// else by POST, or by what worked last time. If that fails in a way that the
// other method may cure, the other one is tried once, within the same time; if
// nothing came in all of the time, the next exchange with the host begins with
// the other one. The error is a *Failure.
func (c *Client) Exchange(ctx context.Context, r Request) (*Answer, error) {
	ctx, cancel := context.WithTimeout(ctx, timeoutOf(r.Timeout))
	defer cancel()
	base, err := parseURL(r.URL)
	if err != nil {
		return nil, &Failure{Reason: BadURL, URL: r.URL, Err: err}
	}
	if !validHost(r.Host) {
		return nil, &Failure{Reason: BadURL, URL: r.URL, Err: fmt.Errorf("host header %.80q", r.Host)}
	}
	get := getURL(base, r.OCSP)
	first, other := c.order(base, get, r.Method)
	answer, failure := c.ask(ctx, r, base, get, first)
	c.learn(base.Host, first, other, failure)
	if other == "" || !curable(answer, failure) || ctx.Err() != nil {
		return result(answer, failure)
	}
	second, failed := c.ask(ctx, r, base, get, other)
	requests := requestsOf(answer, failure) + requestsOf(second, failed)
	if failed == nil && second.Status != malformedRequest {
		c.methods.set(base.Host, other)
		second.Requests = requests
		return second, nil
	}
	if failure != nil {
		failure.Requests = requests
		if failed != nil {
			failure.Err = errors.Join(failure.Err, fmt.Errorf("then by %s: %w", other, failed))
		}
	} else {
		answer.Requests = requests
	}
	return result(answer, failure)
}

// learn has the next exchange with a host begin with the other method where
// this one took all of its time.
func (c *Client) learn(host, first, other string, f *Failure) {
	switch {
	case f == nil:
		c.methods.answered(host, first)
	case f.Reason == Timeout && other != "":
		c.methods.timedOut(host, first, other)
	}
}

// result keeps a nil *Failure from becoming an error.
func result(a *Answer, f *Failure) (*Answer, error) {
	if f != nil {
		return nil, f
	}
	return a, nil
}

func requestsOf(a *Answer, f *Failure) int {
	if f != nil {
		return f.Requests
	}
	return a.Requests
}

// order gives the method to begin with, and the one to try after it or "".
func (c *Client) order(base *url.URL, get, forced string) (first, other string) {
	switch {
	case forced != "":
		return forced, ""
	case get == "":
		return http.MethodPost, ""
	}
	first, other = http.MethodGet, http.MethodPost
	if len(get) > MaxGETURL {
		first, other = other, first
	}
	if c.methods.get(base.Host) == other {
		first, other = other, first
	}
	return first, other
}

// curable says whether the other method may do better. Where the connection
// itself failed it can't, and a busy server is left alone.
func curable(a *Answer, f *Failure) bool {
	if f == nil {
		return a.Status == malformedRequest && !a.NotModified
	}
	switch f.Reason {
	case HTTPStatus:
		return f.HTTPStatus != http.StatusTooManyRequests && f.HTTPStatus != http.StatusServiceUnavailable
	case Reset, Protocol, Redirect, NotModified, Truncated, TooLarge, Empty, NotOCSP:
		return true
	}
	return false
}

// ask sends the question by one method and judges the outer form of the answer.
func (c *Client) ask(ctx context.Context, r Request, base *url.URL, get, method string) (*Answer, *Failure) {
	h := hop{method: method, url: base, host: r.Host, proxy: r.Proxy, accept: typeResponse, max: MaxBody, noCache: r.NoCache}
	if method == http.MethodGet {
		h.held = r.Held
		u, err := url.Parse(get)
		if err != nil || get == "" {
			return nil, &Failure{Reason: BadURL, URL: r.URL, Err: errors.New("its query leaves no place for a request by GET")}
		}
		h.url = u
	} else {
		h.body, h.contentType = r.OCSP, typeRequest
	}
	p, f := c.fetch(ctx, h, r.Guard)
	if f != nil {
		f.URL, f.Method = r.URL, method
		return nil, f
	}
	if p.status == http.StatusNotModified {
		if h.held == (Validators{}) {
			return nil, p.failure(NotModified, r.URL, method, nil)
		}
		a := newAnswer(p, method, 0)
		a.NotModified, a.WrongType, a.Body = true, false, nil
		return a, nil
	}
	status, form := sniff(p.body)
	if form == wellFormed || form == cut && p.status == http.StatusOK {
		if form == wellFormed {
			return newAnswer(p, method, status), nil
		}
		return nil, p.failure(Truncated, r.URL, method, nil)
	}
	switch {
	case p.status != http.StatusOK:
		return nil, p.refusal(r.URL, method)
	case len(p.body) == 0:
		return nil, p.failure(Empty, r.URL, method, nil)
	}
	return nil, p.failure(NotOCSP, r.URL, method, fmt.Errorf("%d bytes of type %.80q", len(p.body), p.contentType))
}

func newAnswer(p *page, method string, status int) *Answer {
	return &Answer{
		Body:        p.body,
		Status:      status,
		URL:         p.url,
		Method:      method,
		HTTPStatus:  p.status,
		ContentType: p.contentType,
		WrongType:   mediaType(p.contentType) != typeResponse,
		Validators:  p.validators,
		FreshUntil:  p.freshUntil,
		Date:        p.date,
		RetryAfter:  p.retryAfter,
		Requests:    p.requests,
	}
}

// mediaType is a Content-Type without parameters.
func mediaType(v string) string {
	v, _, _ = strings.Cut(v, ";")
	return strings.ToLower(strings.TrimSpace(v))
}

// getURL is the URL that carries the request (RFC 6960 appendix A.1), or "" for
// a URL with a query, behind which there is no path to put it in.
func getURL(base *url.URL, request []byte) string {
	if base.RawQuery != "" || base.ForceQuery {
		return ""
	}
	s := base.String()
	if !strings.HasSuffix(s, "/") {
		s += "/"
	}
	return s + url.QueryEscape(base64.StdEncoding.EncodeToString(request))
}

func timeoutOf(d time.Duration) time.Duration {
	if d <= 0 {
		return DefaultTimeout
	}
	return d
}

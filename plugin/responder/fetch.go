package responder

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"
)

// hop is one HTTP request on the way, which redirects may prolong.
type hop struct {
	method      string
	url         *url.URL
	host        string // Host header; "": the URL's
	proxy       string // "": the client's
	accept      string
	body        []byte
	contentType string
	held        Validators // sent along
	noCache     bool
	max         int // longest body of the answer
}

// page is what the last hop brought, whatever its status.
type page struct {
	url         string
	status      int
	contentType string
	body        []byte
	date        time.Time
	retryAfter  time.Duration
	validators  Validators
	freshUntil  time.Time
	requests    int
}

func (p *page) failure(reason Reason, url, method string, err error) *Failure {
	return &Failure{Reason: reason, URL: url, Method: method, RetryAfter: p.retryAfter, Requests: p.requests, Err: err}
}

// refusal is the failure of an HTTP status other than 200.
func (p *page) refusal(url, method string) *Failure {
	f := p.failure(HTTPStatus, url, method, nil)
	if f.HTTPStatus = p.status; p.status == http.StatusProxyAuthRequired {
		f.Reason = Proxy
	}
	return f
}

// fetch sends h and follows redirects. URL and Method of the failure are for
// the caller to set.
func (c *Client) fetch(ctx context.Context, h hop, g Guard) (*page, *Failure) {
	for n := 0; ; n++ {
		p, next, f := c.send(ctx, h, g, n)
		if next == nil || f != nil {
			return p, f
		}
		if n == MaxRedirects {
			return nil, &Failure{Reason: Redirect, Requests: n + 1, Err: fmt.Errorf("more than %d", MaxRedirects)}
		}
		h = *next
	}
}

// send makes one HTTP request, the n-th redirect's; next is set if the answer
// is a redirect.
func (c *Client) send(ctx context.Context, h hop, g Guard, n int) (p *page, next *hop, f *Failure) {
	allowed, privateToo := g.permits(h.url.Hostname(), n > 0)
	if !allowed {
		return nil, nil, &Failure{Reason: HostForbidden, Requests: n, Err: fmt.Errorf("host %.80q is not in allowed_responders", h.url.Hostname())}
	}
	req, err := c.newRequest(ctx, h)
	if err != nil {
		return nil, nil, &Failure{Reason: BadURL, Requests: n, Err: err}
	}
	pool, proxied, err := c.pool(h, privateToo)
	if err != nil {
		return nil, nil, &Failure{Reason: classify(ctx, err), Requests: n, Err: err}
	}
	if proxied && h.host != "" {
		req.URL = inFull(h.url)
	}
	failed := func(err error) *Failure {
		f := &Failure{Reason: classify(ctx, err), Requests: n + 1, Err: err}
		if n > 0 {
			f.Err = fmt.Errorf("redirected to %.80q: %w", h.url.Host, err)
		}
		return f
	}
	// Not an http.Client: each hop chooses its pool, and redirects are ours.
	resp, err := pool.get().RoundTrip(req)
	if err != nil {
		return nil, nil, failed(err)
	}
	defer resp.Body.Close()
	if isRedirect(resp) {
		next, err := h.redirected(resp)
		if err != nil {
			return nil, nil, &Failure{Reason: Redirect, Requests: n + 1, Err: err}
		}
		return nil, next, nil
	}
	p = c.newPage(resp, h.url, n+1)
	p.body, err = readBody(resp, h.max)
	switch {
	case err == nil:
		return p, nil, nil
	case errors.Is(err, errTooLarge) && p.status == http.StatusOK:
		return nil, nil, p.failure(TooLarge, "", "", err)
	case p.status != http.StatusOK && ctx.Err() == nil:
		p.body = nil // the status says enough
		return p, nil, nil
	}
	f = failed(err)
	if f.RetryAfter = p.retryAfter; errors.Is(err, io.ErrUnexpectedEOF) {
		f.Reason = Truncated
	}
	return nil, nil, f
}

func (c *Client) newRequest(ctx context.Context, h hop) (*http.Request, error) {
	req, err := http.NewRequestWithContext(ctx, h.method, "", bytes.NewReader(h.body))
	if err != nil {
		return nil, err
	}
	req.URL, req.Host = h.url, h.url.Host
	if h.host != "" {
		req.Host = h.host
	}
	req.Header.Set("User-Agent", c.userAgent)
	req.Header.Set("Accept", h.accept)
	h.held.set(req.Header)
	if h.noCache {
		req.Header.Set("Cache-Control", "no-cache")
	}
	if h.contentType != "" {
		req.Header.Set("Content-Type", h.contentType)
	}
	return req, nil
}

// inFull is u with nothing left to make of it: a proxy is sent it as it is. Else
// it would be sent the Host header's host in its place, and would ask a host
// that nobody has checked.
func inFull(u *url.URL) *url.URL {
	full := *u
	full.Opaque = "//" + u.Host + u.EscapedPath()
	return &full
}

func (c *Client) newPage(resp *http.Response, u *url.URL, requests int) *page {
	p := &page{
		url:         u.String(),
		status:      resp.StatusCode,
		contentType: resp.Header.Get("Content-Type"),
		requests:    requests,
	}
	if d, err := http.ParseTime(resp.Header.Get("Date")); err == nil {
		p.date = d
	}
	p.validators = parseValidators(resp.Header)
	p.freshUntil = freshUntil(resp.Header, p.date, c.now())
	now := p.date
	if now.IsZero() {
		now = c.now()
	}
	p.retryAfter = parseRetryAfter(resp.Header.Get("Retry-After"), now)
	return p
}

var errTooLarge = errors.New("body too large")

// readBody reads at most limit bytes; a longer body is an error, and its rest is
// not read.
func readBody(resp *http.Response, limit int) ([]byte, error) {
	if resp.ContentLength > int64(limit) {
		return nil, fmt.Errorf("%w: %d bytes, more than %d", errTooLarge, resp.ContentLength, limit)
	}
	b, err := io.ReadAll(io.LimitReader(resp.Body, int64(limit)+1))
	if err != nil {
		return nil, err
	}
	if len(b) > limit {
		return nil, fmt.Errorf("%w: more than %d bytes", errTooLarge, limit)
	}
	return b, nil
}

func isRedirect(resp *http.Response) bool {
	switch resp.StatusCode {
	case http.StatusMovedPermanently, http.StatusFound, http.StatusSeeOther,
		http.StatusTemporaryRedirect, http.StatusPermanentRedirect:
		return resp.Header.Get("Location") != ""
	}
	return false
}

// redirected is the request that the redirect asks for. A POST stays a POST, as
// RFC 9110 section 15.4 permits: without its body the question would be lost.
// Only 303 makes it a GET.
func (h hop) redirected(resp *http.Response) (*hop, error) {
	location := resp.Header.Get("Location")
	if len(location) > maxURL {
		return nil, fmt.Errorf("target of %d bytes", len(location))
	}
	ref, err := url.Parse(location)
	if err != nil {
		return nil, fmt.Errorf("target %.200q: %w", location, errors.Unwrap(err))
	}
	u, err := parseURL(h.url.ResolveReference(ref).String())
	if err != nil {
		return nil, fmt.Errorf("target %.200q: %w", location, err)
	}
	h.url, h.host = u, ""
	if resp.StatusCode == http.StatusSeeOther {
		h.method, h.body, h.contentType = http.MethodGet, nil, ""
	}
	return &h, nil
}

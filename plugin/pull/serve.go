package pull

import (
	"errors"
	"io"
	"mime"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/crypto/ocsp"

	"github.com/consul-ocsp/consul-ocsp/plugin/record"
	"github.com/consul-ocsp/consul-ocsp/plugin/staple"
)

// maxAge is how long a cache between us and who asks may keep a response that
// lives longer: no newer one shall be hidden for long.
const maxAge = time.Hour

const (
	contentType = "application/ocsp-response"
	requestType = "application/ocsp-request"
)

// Counts are totals of answers.
type Counts struct {
	// Answered had a response, NotModified told that the asker's is the same.
	Answered, NotModified uint64
	// Unauthorized asked for what is not held here or by other means than
	// SHA-1, TryLater for what has no living response, Malformed no OCSP at all.
	Unauthorized, TryLater, Malformed uint64
}

type counts struct{ answered, notModified, unauthorized, tryLater, malformed atomic.Uint64 }

// Counts are the totals so far.
func (a *Answerer) Counts() Counts {
	c := &a.counts
	return Counts{
		Answered: c.answered.Load(), NotModified: c.notModified.Load(),
		Unauthorized: c.unauthorized.Load(), TryLater: c.tryLater.Load(), Malformed: c.malformed.Load(),
	}
}

// newAnswer makes an answer of what was verified: what a record claims to be, and
// is not, must neither be taken for newer nor keep a newer one out.
func newAnswer(f *staple.Facts) *answer {
	sum := f.SHA256()
	return &answer{
		facts: f, etag: `"` + sum + `"`,
		meta: record.Meta{
			Format: record.Format, SHA256: sum, Serial: f.Serial(), Status: string(f.Status),
			ThisUpdate: f.ThisUpdate, NextUpdate: f.NextUpdate, Until: f.Until, RevokedAt: f.RevokedAt, RevocationReason: f.RevocationReason,
		},
		lastModified: f.ThisUpdate.UTC().Format(http.TimeFormat), expires: f.Until.UTC().Format(http.TimeFormat),
	}
}

// ServeHTTP answers a request of any path and host, also one in the form for
// proxies, which has a whole URL.
func (a *Answerer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	der, status := readRequest(w, r)
	if status != 0 {
		a.counts.malformed.Add(1)
		w.Header().Set("Cache-Control", "no-store")
		http.Error(w, http.StatusText(status), status)
		return
	}
	k, err := parseRequest(der)
	if errors.Is(err, errMalformed) {
		a.refuse(w, &a.counts.malformed, ocsp.MalformedRequestErrorResponse)
		return
	}
	now := a.now()
	found, known := a.find(k, now)
	switch {
	case err != nil || !known:
		a.refuse(w, &a.counts.unauthorized, ocsp.UnauthorizedErrorResponse)
	case found == nil:
		a.refuse(w, &a.counts.tryLater, ocsp.TryLaterErrorResponse)
	default:
		a.answer(w, r, found, now)
	}
}

// readRequest is the request's DER, or the HTTP status to refuse it with.
func readRequest(w http.ResponseWriter, r *http.Request) (der []byte, status int) {
	switch r.Method {
	case http.MethodGet, http.MethodHead:
		der, err := fromPath(r.URL.EscapedPath())
		if err != nil {
			return nil, http.StatusBadRequest
		}
		return der, 0
	case http.MethodPost:
		if kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || kind != requestType {
			return nil, http.StatusUnsupportedMediaType
		}
		der, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxRequest))
		if err != nil {
			return nil, http.StatusRequestEntityTooLarge
		}
		return der, 0
	}
	w.Header().Set("Allow", "GET, HEAD, POST")
	return nil, http.StatusMethodNotAllowed
}

// refuse sends a response without a body of its own (RFC 6960 section 4.2.1),
// which no cache may keep.
func (a *Answerer) refuse(w http.ResponseWriter, count *atomic.Uint64, der []byte) {
	count.Add(1)
	h := w.Header()
	h.Set("Content-Type", contentType)
	h.Set("Cache-Control", "no-store")
	h.Set("Content-Length", strconv.Itoa(len(der)))
	_, _ = w.Write(der)
}

// answer sends a response with the headers of RFC 5019 section 6.2.
func (a *Answerer) answer(w http.ResponseWriter, r *http.Request, found *answer, now time.Time) {
	age := min(found.facts.Until.Sub(now), maxAge)
	h := w.Header()
	h["Content-Type"] = []string{contentType}
	h["Last-Modified"] = []string{found.lastModified}
	h["Expires"] = []string{found.expires}
	h["Etag"] = []string{found.etag}
	h["Cache-Control"] = []string{"max-age=" + strconv.Itoa(int(age/time.Second)) + ",public,no-transform,must-revalidate"}
	if r.Method != http.MethodPost && notModified(r, found) {
		a.counts.notModified.Add(1)
		w.WriteHeader(http.StatusNotModified)
		return
	}
	a.counts.answered.Add(1)
	h["Content-Length"] = []string{strconv.Itoa(len(found.facts.DER))}
	if r.Method != http.MethodHead {
		_, _ = w.Write(found.facts.DER)
	}
}

// notModified tells whether who asks has this response already (RFC 9110 section
// 13.2.2).
func notModified(r *http.Request, found *answer) bool {
	if tags := r.Header.Get("If-None-Match"); tags != "" {
		for tag := range strings.SplitSeq(tags, ",") {
			tag = strings.TrimPrefix(strings.TrimSpace(tag), "W/")
			if tag == found.etag || tag == "*" {
				return true
			}
		}
		return false
	}
	since, err := http.ParseTime(r.Header.Get("If-Modified-Since"))
	return err == nil && !found.facts.ThisUpdate.After(since)
}

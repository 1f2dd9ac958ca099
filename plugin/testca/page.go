package testca

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"golang.org/x/crypto/ocsp"
)

// page is an answer over HTTP before it is sent.
type page struct {
	status int
	header http.Header
	body   []byte
}

// answerPage sets the header fields of RFC 5019, 6.2.
func answerPage(der []byte, a Answer, now time.Time) *page {
	sum := sha256.Sum256(der)
	h := http.Header{}
	h.Set("Content-Type", "application/ocsp-response")
	h.Set("Date", now.UTC().Format(http.TimeFormat))
	h.Set("Last-Modified", a.ThisUpdate.UTC().Format(http.TimeFormat))
	h.Set("ETag", `"`+hex.EncodeToString(sum[:])+`"`)
	if a.NextUpdate.IsZero() {
		return &page{status: http.StatusOK, header: h, body: der}
	}
	h.Set("Expires", a.NextUpdate.UTC().Format(http.TimeFormat))
	h.Set("Cache-Control", fmt.Sprintf("max-age=%d, public, no-transform, must-revalidate", max(0, int(a.NextUpdate.Sub(now).Seconds()))))
	return &page{status: http.StatusOK, header: h, body: der}
}

// errorPage is an OCSP status without content. Its HTTP status is 200: HTTP
// worked.
func errorPage(status ocsp.ResponseStatus) *page {
	h := http.Header{}
	h.Set("Content-Type", "application/ocsp-response")
	h.Set("Cache-Control", "no-store")
	return &page{status: http.StatusOK, header: h, body: ErrorResponse(status)}
}

// textPage is what a server says that is no OCSP responder at the moment.
func textPage(status int, contentType, text string) *page {
	return &page{status: status, header: http.Header{"Content-Type": {contentType}}, body: []byte(text)}
}

// sendHead sends everything but the body. Content-Length is that of the body.
func (p *page) sendHead(w http.ResponseWriter) {
	for name, values := range p.header {
		w.Header()[name] = values
	}
	if p.status != http.StatusNotModified {
		w.Header().Set("Content-Length", strconv.Itoa(len(p.body)))
	}
	w.WriteHeader(p.status)
}

func (p *page) send(w http.ResponseWriter) {
	p.sendHead(w)
	if p.status != http.StatusNotModified {
		w.Write(p.body)
	}
}

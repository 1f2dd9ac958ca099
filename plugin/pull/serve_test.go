package pull_test

import (
	"bytes"
	"crypto"
	"encoding/base64"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ocsp"

	"github.com/consul-ocsp/consul-ocsp/plugin/pull"
	"github.com/consul-ocsp/consul-ocsp/plugin/testca"
	"github.com/consul-ocsp/consul-ocsp/plugin/testca/testcatest"
)

// get asks by GET below a prefix.
func (w *world) get(prefix string, der []byte, header http.Header) *httptest.ResponseRecorder {
	w.t.Helper()
	r := httptest.NewRequest(http.MethodGet, prefix+url.PathEscape(base64.StdEncoding.EncodeToString(der)), nil)
	for name, values := range header {
		r.Header[name] = values
	}
	rec := httptest.NewRecorder()
	w.answerer.ServeHTTP(rec, r)
	return rec
}

func (w *world) post(der []byte, kind string) *httptest.ResponseRecorder {
	w.t.Helper()
	r := httptest.NewRequest(http.MethodPost, "/", bytes.NewReader(der))
	r.Header.Set("Content-Type", kind)
	rec := httptest.NewRecorder()
	w.answerer.ServeHTTP(rec, r)
	return rec
}

// A CA's response is handed on byte for byte, whichever way is asked, with what
// caches need.
func TestAnswers(t *testing.T) {
	w := newWorld(t)
	cert := w.issue("www.example.test")
	st := w.stored(cert, testca.Answer{}, time.Hour, 24*time.Hour)
	w.deliver(st)
	for _, prefix := range []string{"/", "//", "/ocsp/", "http://ocsp.example.test/", "http://ocsp.example.test/MyCA/r1/"} {
		rec := w.get(prefix, w.request(cert), nil)
		if rec.Code != http.StatusOK || !bytes.Equal(rec.Body.Bytes(), st.DER) {
			t.Errorf("GET below %q: %d, %d bytes", prefix, rec.Code, rec.Body.Len())
		}
	}
	rec := w.post(w.request(cert), "application/ocsp-request")
	if rec.Code != http.StatusOK || !bytes.Equal(rec.Body.Bytes(), st.DER) {
		t.Errorf("POST: %d, %d bytes", rec.Code, rec.Body.Len())
	}
	for name, want := range map[string]string{
		"Content-Type": "application/ocsp-response", "Content-Length": fmt.Sprint(len(st.DER)),
		"Last-Modified": st.Meta.ThisUpdate.Format(http.TimeFormat), "Expires": st.Meta.NextUpdate.Format(http.TimeFormat),
		"Cache-Control": "max-age=3600,public,no-transform,must-revalidate",
	} {
		if got := rec.Header().Get(name); got != want {
			t.Errorf("%s: %q; want %q", name, got, want)
		}
	}
	tag := rec.Header().Get("ETag")
	for _, header := range []http.Header{{"If-None-Match": {`"x", W/` + tag}}, {"If-Modified-Since": {st.Meta.ThisUpdate.Format(http.TimeFormat)}}} {
		if rec := w.get("/", w.request(cert), header); rec.Code != http.StatusNotModified || rec.Body.Len() != 0 {
			t.Errorf("%v: %d, %d bytes", header, rec.Code, rec.Body.Len())
		}
	}
	if got := w.answerer.Counts(); got != (pull.Counts{Answered: 6, NotModified: 2}) {
		t.Errorf("counts: %+v", got)
	}
}

// What can't be answered is refused in the protocol's own words, and no cache
// keeps that.
func TestRefusals(t *testing.T) {
	w := newWorld(t)
	cert := w.issue("www.example.test")
	other := testcatest.Issue(t, w.ca, testca.IssueOptions{}, "other.example.test")
	sha256, err := ocsp.CreateRequest(cert.Leaf, w.ca.Certificate(), &ocsp.RequestOptions{Hash: crypto.SHA256})
	if err != nil {
		t.Fatal(err)
	}
	said := func(what string, rec *httptest.ResponseRecorder, want []byte) {
		t.Helper()
		if rec.Code != http.StatusOK || !bytes.Equal(rec.Body.Bytes(), want) || rec.Header().Get("Cache-Control") != "no-store" {
			t.Errorf("%s: %d %x %v", what, rec.Code, rec.Body.Bytes(), rec.Header())
		}
	}
	said("nothing stored", w.get("/", w.request(cert), nil), ocsp.TryLaterErrorResponse)
	w.deliver(w.stored(cert, testca.Answer{}, 2*time.Hour, time.Minute))
	said("another certificate", w.get("/", w.request(other), nil), ocsp.UnauthorizedErrorResponse)
	said("SHA-256", w.post(sha256, "application/ocsp-request"), ocsp.UnauthorizedErrorResponse)
	said("bytes left over", w.post(append(w.request(cert), 0), "application/ocsp-request"), ocsp.MalformedRequestErrorResponse)
	w.now = w.now.Add(time.Minute)
	said("a response that has ended", w.get("/", w.request(cert), nil), ocsp.TryLaterErrorResponse)

	for want, rec := range map[int]*httptest.ResponseRecorder{
		http.StatusBadRequest:            w.get("/favicon.ico?", nil, nil),
		http.StatusUnsupportedMediaType:  w.post(w.request(cert), "text/plain"),
		http.StatusRequestEntityTooLarge: w.post(make([]byte, 1<<20), "application/ocsp-request"),
	} {
		if rec.Code != want {
			t.Errorf("status %d; want %d", rec.Code, want)
		}
	}
}

// What is not verified here is not handed on, nor what is older, nor what is
// about a certificate that is no longer ours.
func TestOnlyWhatIsVerified(t *testing.T) {
	w := newWorld(t)
	cert, next := w.issue("www.example.test"), w.issue("next.example.test")
	newer := w.stored(cert, testca.Answer{}, time.Minute, time.Hour)
	w.deliver(newer)
	w.deliver(w.stored(cert, testca.Answer{}, time.Hour, time.Hour))
	forged := w.stored(cert, testca.Answer{}, 0, time.Hour)
	forged.DER = append([]byte(nil), forged.DER...)
	forged.DER[len(forged.DER)-1] ^= 1
	w.deliver(forged)
	swapped := w.stored(next, testca.Answer{}, 0, time.Hour)
	swapped.ID = newer.ID
	w.deliver(swapped)
	if got := w.get("/", w.request(cert), nil).Body.Bytes(); !bytes.Equal(got, newer.DER) {
		t.Errorf("another response than the newest verified one")
	}
	if !w.answerer.Refused() || w.answerer.Refused() {
		t.Error("a refusal is told once")
	}
	w.list = w.list[1:]
	w.answerer.Set(w.list)
	if got := w.get("/", w.request(cert), nil).Body.Bytes(); !bytes.Equal(got, ocsp.UnauthorizedErrorResponse) {
		t.Errorf("a certificate that is gone is answered for")
	}
}

// What a record says of its response decides nothing: one that claims to be of
// the future keeps no newer one out, an old one that claims to be new replaces
// nothing, and "unknown" is not handed on under another name.
func TestRecordsAreNotBelieved(t *testing.T) {
	w := newWorld(t)
	cert := w.issue("www.example.test")
	far := w.stored(cert, testca.Answer{}, 2*time.Hour, time.Hour)
	far.Meta.ThisUpdate = w.now.AddDate(10, 0, 0)
	w.deliver(far)
	if held, ok := w.answerer.Holds(far.ID); !ok || !held.ThisUpdate.Equal(w.now.Add(-2*time.Hour)) || held.Status != "good" {
		t.Errorf("holds %+v, %t", held, ok)
	}
	revoked := w.stored(cert, testca.Answer{Status: ocsp.Revoked}, time.Hour, time.Hour)
	w.deliver(revoked)
	w.deliver(far)
	other := w.issue("other.example.test")
	for _, c := range []*testca.Issued{cert, other} {
		w.deliver(w.stored(c, testca.Answer{Status: ocsp.Unknown}, time.Minute, time.Hour))
	}
	if got := w.get("/", w.request(other), nil).Body.Bytes(); !bytes.Equal(got, ocsp.TryLaterErrorResponse) {
		t.Error(`a response that says "unknown" is handed on`)
	}
	if got := w.get("/", w.request(cert), nil).Body.Bytes(); !bytes.Equal(got, revoked.DER) {
		t.Error("another response than the newest that says good or revoked")
	}
	if held, _ := w.answerer.Holds(far.ID); held.Status != "revoked" {
		t.Errorf("holds %q", held.Status)
	}
}

// openssl asks over a real connection, and verifies what it gets.
func TestOpenSSLAsks(t *testing.T) {
	w := newWorld(t)
	cert := w.issue("www.example.test")
	w.deliver(w.stored(cert, testca.Answer{}, time.Hour, time.Hour))
	server := httptest.NewServer(w.answerer)
	defer server.Close()
	for _, args := range [][]string{nil, {"-no_nonce"}} {
		args = append([]string{"ocsp", "-issuer", filepath.Join(w.ca.Dir(), "ca.pem"), "-CAfile", filepath.Join(w.ca.Dir(), "ca.pem"),
			"-cert", cert.Path, "-url", server.URL + "/some/path"}, args...)
		out, err := exec.CommandContext(t.Context(), "openssl", args...).CombinedOutput()
		if err != nil || !strings.Contains(string(out), "Response verify OK") || !strings.Contains(string(out), ": good") {
			t.Errorf("openssl %v: %v\n%s", args, err, out)
		}
	}
}

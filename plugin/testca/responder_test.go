package testca

import (
	"bytes"
	"context"
	"crypto"
	"crypto/x509"
	"encoding/base64"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ocsp"
)

func serve(t *testing.T, c *CA, o ResponderOptions) string {
	t.Helper()
	s := httptest.NewServer(c.Responder(o))
	t.Cleanup(s.Close)
	return s.URL
}

func newRequest(t testing.TB, leaf, issuer *x509.Certificate, h crypto.Hash) []byte {
	t.Helper()
	der, err := ocsp.CreateRequest(leaf, issuer, &ocsp.RequestOptions{Hash: h})
	if err != nil {
		t.Fatal(err)
	}
	return der
}

func body(t *testing.T, res *http.Response, err error) []byte {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	if got := res.Header.Get("Content-Type"); res.StatusCode != 200 || got != "application/ocsp-response" {
		t.Fatalf("HTTP status %s, content type %q", res.Status, got)
	}
	return b
}

func post(t *testing.T, url string, request []byte) []byte {
	t.Helper()
	res, err := http.Post(url, "application/ocsp-request", bytes.NewReader(request))
	return body(t, res, err)
}

// ask posts a request and gives the answer, verified by x/crypto/ocsp.
func ask(t *testing.T, url string, c *CA, leaf *x509.Certificate) *ocsp.Response {
	t.Helper()
	r, err := ocsp.ParseResponseForCert(post(t, url, newRequest(t, leaf, c.Certificate(), crypto.SHA1)), leaf, c.Certificate())
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestResponderFollowsTheIndex(t *testing.T) {
	t.Parallel()
	c := newCA(t, InitOptions{})
	www := issue(t, c, IssueOptions{}, "www.example.com").Leaf
	other := issue(t, c, IssueOptions{}, "*.example.com").Leaf
	url := serve(t, c, ResponderOptions{})
	if r := ask(t, url, c, www); r.Status != ocsp.Good {
		t.Errorf("status %d, want good", r.Status)
	}
	again, err := Open(c.Dir())
	if err != nil {
		t.Fatal(err)
	}
	if err := again.RevokeWithReason("www.example.com", "keyCompromise"); err != nil {
		t.Fatal(err)
	}
	if r := ask(t, url, c, www); r.Status != ocsp.Revoked || r.RevocationReason != ocsp.KeyCompromise || time.Since(r.RevokedAt) > time.Minute {
		t.Errorf("status %d, reason %d at %v; want revoked for keyCompromise now", r.Status, r.RevocationReason, r.RevokedAt)
	}
	if r := ask(t, url, c, other); r.Status != ocsp.Good {
		t.Errorf("status %d of the other one, want good", r.Status)
	}
}

// TestResponderReadsASettledIndexOnce has an index that is old enough to be
// kept, and a change that must be seen all the same.
func TestResponderReadsASettledIndexOnce(t *testing.T) {
	t.Parallel()
	c := newCA(t, InitOptions{})
	leaf := issue(t, c, IssueOptions{}, "www.example.com").Leaf
	old := time.Now().Add(-time.Hour)
	if err := os.Chtimes(c.indexPath(), old, old); err != nil {
		t.Fatal(err)
	}
	kept := &cachedIndex{ca: c}
	first, err := kept.get()
	if err != nil {
		t.Fatal(err)
	}
	if second, err := kept.get(); err != nil || second != first {
		t.Errorf("an unchanged index was read again: %v", err)
	}
	if err := c.Revoke("www.example.com"); err != nil {
		t.Fatal(err)
	}
	if third, err := kept.get(); err != nil || third.find(leaf.SerialNumber).status != 'R' {
		t.Errorf("the revocation was not seen: %v", err)
	}
}

func TestResponderTimesAndHeaders(t *testing.T) {
	t.Parallel()
	now := time.Date(2027, 1, 2, 3, 4, 5, 678, time.UTC)
	c := newCA(t, InitOptions{Now: func() time.Time { return now }})
	leaf := issue(t, c, IssueOptions{}, "www.example.com").Leaf
	at := serve(t, c, ResponderOptions{Validity: 20 * time.Minute, Backdate: time.Minute})
	res, err := http.Get(at + "/" + url.PathEscape(base64.StdEncoding.EncodeToString(newRequest(t, leaf, c.Certificate(), crypto.SHA1))))
	der := body(t, res, err)
	r, err := ocsp.ParseResponseForCert(der, leaf, c.Certificate())
	if err != nil {
		t.Fatal(err)
	}
	second := now.Truncate(time.Second)
	if !r.ThisUpdate.Equal(second.Add(-time.Minute)) || !r.NextUpdate.Equal(second.Add(20*time.Minute)) || !r.ProducedAt.Equal(second) {
		t.Errorf("thisUpdate %v, nextUpdate %v, producedAt %v", r.ThisUpdate, r.NextUpdate, r.ProducedAt)
	}
	for name, want := range map[string]string{
		"Date":          "Sat, 02 Jan 2027 03:04:05 GMT",
		"Last-Modified": "Sat, 02 Jan 2027 03:03:05 GMT",
		"Expires":       "Sat, 02 Jan 2027 03:24:05 GMT",
		"Cache-Control": "max-age=1199, public, no-transform, must-revalidate",
	} {
		if got := res.Header.Get(name); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	if tag := res.Header.Get("ETag"); len(tag) != 66 {
		t.Errorf("ETag: %q", tag)
	}
}

func TestGetFindsTheRequest(t *testing.T) {
	t.Parallel()
	c := newCA(t, InitOptions{})
	at := serve(t, c, ResponderOptions{})
	// Many certificates, so that `/` and `+` come anywhere in the base64.
	for range 20 {
		leaf := issue(t, c, IssueOptions{}, "www.example.com").Leaf
		text := base64.StdEncoding.EncodeToString(newRequest(t, leaf, c.Certificate(), crypto.SHA1))
		for _, path := range []string{
			"/" + text, "//" + text, "/ocsp/ca1/" + text, "/ocsp//" + text, "/" + strings.TrimRight(text, "="),
			"/" + url.PathEscape(text), "/x/" + url.QueryEscape(text),
		} {
			res, err := http.Get(at + path)
			if _, err := ocsp.ParseResponseForCert(body(t, res, err), leaf, c.Certificate()); err != nil {
				t.Errorf("GET %s: %v", path, err)
			}
		}
	}
}

func TestResponderRefuses(t *testing.T) {
	t.Parallel()
	c := newCA(t, InitOptions{})
	stranger := newCA(t, InitOptions{})
	leaf := issue(t, c, IssueOptions{}, "www.example.com").Leaf
	theirs := issue(t, stranger, IssueOptions{}, "www.example.com").Leaf
	at := serve(t, c, ResponderOptions{})
	for name, x := range map[string]struct {
		request []byte
		want    ocsp.ResponseStatus
	}{
		"garbage":        {[]byte("garbage"), ocsp.Malformed},
		"empty":          {nil, ocsp.Malformed},
		"too large":      {make([]byte, maxRequest+1), ocsp.Malformed},
		"unknown serial": {newRequest(t, theirs, c.Certificate(), crypto.SHA1), ocsp.Unauthorized},
		"other issuer":   {newRequest(t, leaf, stranger.Certificate(), crypto.SHA1), ocsp.Unauthorized},
	} {
		_, err := ocsp.ParseResponse(post(t, at, x.request), nil)
		if e, ok := err.(ocsp.ResponseError); !ok || e.Status != x.want {
			t.Errorf("%s: %v, want %v", name, err, x.want)
		}
	}
	for _, path := range []string{"", "/", "/favicon.ico", strings.Repeat("/", 4000)} {
		res, err := http.Get(at + path)
		if _, err := ocsp.ParseResponse(body(t, res, err), nil); err == nil {
			t.Errorf("GET %q was answered", path)
		}
	}
	res, err := http.Head(at + "/")
	if err != nil || res.StatusCode != http.StatusMethodNotAllowed || res.Header.Get("Allow") != "GET, POST" {
		t.Errorf("HEAD: %v, %v", res, err)
	}
	if err := os.WriteFile(c.indexPath(), []byte("no index\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	_, err = ocsp.ParseResponse(post(t, at, newRequest(t, leaf, c.Certificate(), crypto.SHA1)), nil)
	if e, ok := err.(ocsp.ResponseError); !ok || e.Status != ocsp.InternalError {
		t.Errorf("broken index: %v, want internal error", err)
	}
}

func TestResponderOptions(t *testing.T) {
	t.Parallel()
	c := newCA(t, InitOptions{})
	leaf := issue(t, c, IssueOptions{}, "www.example.com").Leaf
	delegate := issue(t, c, IssueOptions{Delegate: true, Key: RSA}, "ocsp-signer")
	var asked []*big.Int
	var methods []string
	at := serve(t, c, ResponderOptions{
		SignUnknown: true, Signer: delegate.Key, SignerCert: delegate.Leaf,
		OnRequest: func(serial *big.Int, method string) { asked, methods = append(asked, serial), append(methods, method) },
	})
	r := ask(t, at, c, leaf)
	if r.Status != ocsp.Good || r.Certificate == nil || !r.Certificate.Equal(delegate.Leaf) {
		t.Errorf("status %d, signer %v; want good, by the delegate", r.Status, r.Certificate)
	}
	never := &x509.Certificate{SerialNumber: big.NewInt(7)}
	if r := ask(t, at, c, never); r.Status != ocsp.Unknown {
		t.Errorf("status %d, want unknown", r.Status)
	}
	for _, h := range []crypto.Hash{crypto.SHA256, crypto.SHA384, crypto.SHA512} {
		r, err := ocsp.ParseResponseForCert(post(t, at, newRequest(t, leaf, c.Certificate(), h)), leaf, c.Certificate())
		if err != nil || r.IssuerHash != h {
			t.Errorf("%v: %v; hash of the answer %v", h, err, r)
		}
	}
	post(t, at, []byte("garbage"))
	if len(asked) != 6 || asked[0].Cmp(leaf.SerialNumber) != 0 || asked[1].Int64() != 7 || asked[5] != nil || methods[0] != "POST" {
		t.Errorf("asked for %v by %v", asked, methods)
	}
}

func TestServeEndsWithItsContext(t *testing.T) {
	t.Parallel()
	c := newCA(t, InitOptions{})
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	// Ends with Serve.
	go func() { done <- c.Serve(ctx, l, ResponderOptions{}) }()
	res, err := http.Get("http://" + l.Addr().String() + "/some/ca.crt")
	if err != nil {
		t.Fatal(err)
	}
	der, err := io.ReadAll(res.Body)
	res.Body.Close()
	if err != nil || !bytes.Equal(der, c.Certificate().Raw) || res.Header.Get("Content-Type") != "application/pkix-cert" {
		t.Errorf("ca.crt: %d bytes of %s, %v", len(der), res.Header.Get("Content-Type"), err)
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
	if _, err := net.Dial("tcp", l.Addr().String()); err == nil {
		t.Error("the port is still open")
	}
}

func FuzzRequestPath(f *testing.F) {
	c := newCA(f, InitOptions{})
	text := base64.StdEncoding.EncodeToString(newRequest(f, issue(f, c, IssueOptions{}, "a.example").Leaf, c.Certificate(), crypto.SHA1))
	f.Add("/" + text)
	f.Add("/ocsp//" + url.PathEscape(text))
	f.Add("/%2")
	f.Add("no slash")
	f.Fuzz(func(t *testing.T, path string) {
		if asked, err := requestInPath(path); err == nil && asked.SerialNumber == nil {
			t.Error("a request without a serial number")
		}
	})
}

package testca

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"golang.org/x/crypto/ocsp"
)

func newCA(t *testing.T, o InitOptions) *CA {
	t.Helper()
	c, err := Init(t.TempDir(), o)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func issue(t *testing.T, c *CA, o IssueOptions, names ...string) *Issued {
	t.Helper()
	i, err := c.Issue(names, o)
	if err != nil {
		t.Fatal(err)
	}
	return i
}

// ask posts a request and gives the answer, verified by x/crypto/ocsp.
func ask(t *testing.T, url string, c *CA, i *Issued) *ocsp.Response {
	t.Helper()
	request, err := ocsp.CreateRequest(i.Leaf, c.Certificate(), nil)
	if err != nil {
		t.Fatal(err)
	}
	res, err := http.Post(url, "application/ocsp-request", bytes.NewReader(request))
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	der, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	r, err := ocsp.ParseResponseForCert(der, i.Leaf, c.Certificate())
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestFirstSteps(t *testing.T) {
	t.Parallel()
	c := newCA(t, InitOptions{})
	www := issue(t, c, IssueOptions{Responders: []string{"http://127.0.0.1:1"}}, "www.example.com")
	other := issue(t, c, IssueOptions{}, "*.example.com")
	server := httptest.NewServer(c.Responder(ResponderOptions{}))
	t.Cleanup(server.Close)
	if r := ask(t, server.URL, c, www); r.Status != ocsp.Good {
		t.Fatalf("status %d, want good", r.Status)
	}
	again, err := Open(c.Dir())
	if err != nil {
		t.Fatal(err)
	}
	if err := again.Revoke("www.example.com"); err != nil {
		t.Fatal(err)
	}
	if r := ask(t, server.URL, c, www); r.Status != ocsp.Revoked {
		t.Fatalf("status %d, want revoked", r.Status)
	}
	if r := ask(t, server.URL, c, other); r.Status != ocsp.Good {
		t.Fatalf("status %d of the other one, want good", r.Status)
	}
}

package responder_test

import (
	"bytes"
	"context"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"golang.org/x/crypto/ocsp"
	"golang.org/x/net/http/httpproxy"

	"github.com/consul-ocsp/consul-ocsp/plugin/responder"
	"github.com/consul-ocsp/consul-ocsp/plugin/staple"
	"github.com/consul-ocsp/consul-ocsp/plugin/testca"
	"github.com/consul-ocsp/consul-ocsp/plugin/testca/testcatest"
)

// own is the guard of a responder in the job file: loopback is within reach.
func own() responder.Guard { return responder.Guard{AllowPrivate: true} }

func newClient(t *testing.T, c responder.Config) *responder.Client {
	t.Helper()
	if c.Proxy == nil {
		c.Proxy = &httpproxy.Config{} // whatever the environment of the tests
	}
	client := responder.New(c)
	t.Cleanup(client.Close)
	return client
}

// serve starts a server on loopback and counts its requests by method.
func serve(t *testing.T, h http.HandlerFunc) (*httptest.Server, *counter) {
	t.Helper()
	n := &counter{}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n.add(r.Method)
		h(w, r)
	}))
	t.Cleanup(s.Close)
	return s, n
}

type counter struct {
	mu      sync.Mutex
	methods []string
}

func (c *counter) add(method string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.methods = append(c.methods, method)
}

func (c *counter) String() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return strings.Join(c.methods, " ")
}

// tryLater is a whole OCSPResponse, the smallest there is.
func tryLater() []byte { return testca.ErrorResponse(ocsp.TryLater) }

func answerTryLater(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/ocsp-response")
	w.Write(tryLater())
}

func failure(t *testing.T, err error, want responder.Reason) *responder.Failure {
	t.Helper()
	f, ok := err.(*responder.Failure)
	if !ok {
		t.Fatalf("error is %T %v, want a *Failure with reason %q", err, err, want)
	}
	if f.Reason != want {
		t.Fatalf("reason %q, want %q: %v", f.Reason, want, err)
	}
	return f
}

func TestARealResponderIsAskedByGETAndByPOST(t *testing.T) {
	ca := testcatest.Init(t, testca.InitOptions{})
	cert := testcatest.Issue(t, ca, testca.IssueOptions{}, "www.example.com")
	request, err := staple.NewRequest(cert.Leaf, ca.Certificate())
	if err != nil {
		t.Fatal(err)
	}
	asked := &counter{}
	server := httptest.NewServer(ca.Responder(testca.ResponderOptions{
		OnRequest: func(serial *big.Int, method string) {
			if serial.Cmp(cert.Serial) != 0 {
				t.Errorf("asked for serial %x, want %x", serial, cert.Serial)
			}
			asked.add(method)
		},
	}))
	t.Cleanup(server.Close)
	client := newClient(t, responder.Config{})
	for _, c := range []struct{ url, method string }{
		{server.URL, "GET"},
		{server.URL + "/", "GET"},
		{server.URL + "/a/b", "GET"},
		{server.URL + "/" + strings.Repeat("long", 64), "POST"},
		{server.URL + "/?ca=1", "POST"},
	} {
		a, err := client.Exchange(t.Context(), responder.Request{URL: c.url, OCSP: request, Guard: own()})
		if err != nil {
			t.Fatalf("%s: %v", c.url, err)
		}
		if a.Method != c.method || a.Status != 0 || a.WrongType || a.Requests != 1 || a.Date.IsZero() {
			t.Errorf("%s: %+v, want a successful answer by %s", c.url, a, c.method)
		}
		if _, err := ocsp.ParseResponseForCert(a.Body, cert.Leaf, ca.Certificate()); err != nil {
			t.Errorf("%s: %v", c.url, err)
		}
	}
	if got := asked.String(); got != "GET GET GET POST POST" {
		t.Errorf("requests: %s", got)
	}
}

func TestEachLetterOfBase64IsEscaped(t *testing.T) {
	request := []byte{0xfb, 0xff, 0xfe, 0xff} // +//+/w==
	s, _ := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if got := r.URL.EscapedPath(); got != "/x/%2B%2F%2F%2B%2Fw%3D%3D" {
			t.Errorf("path %q", got)
		}
		answerTryLater(w, r)
	})
	_, err := newClient(t, responder.Config{}).Exchange(t.Context(),
		responder.Request{URL: s.URL + "/x", OCSP: request, Guard: own()})
	if err != nil {
		t.Fatal(err)
	}
}

func TestGETIsForURLsOfAtMost255Bytes(t *testing.T) {
	s, n := serve(t, answerTryLater)
	client := newClient(t, responder.Config{})
	// base64 of 3 bytes is 4 letters, none of which is escaped.
	request := []byte{0, 0, 0}
	for _, c := range []struct {
		length int
		method string
	}{{255, "GET"}, {256, "POST"}} {
		u := s.URL + "/"
		u += strings.Repeat("a", c.length-len(u)-len("/AAAA"))
		a, err := client.Exchange(t.Context(), responder.Request{URL: u, OCSP: request, Guard: own()})
		if err != nil {
			t.Fatal(err)
		}
		if a.Method != c.method {
			t.Errorf("%d bytes: %s, want %s (%s)", c.length, a.Method, c.method, n)
		}
	}
}

func TestHeadersOfARequest(t *testing.T) {
	request := []byte("DER")
	s, _ := serve(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		switch {
		case r.Host != "ocsp.example.com":
			t.Errorf("Host %q", r.Host)
		case r.UserAgent() != "consul-ocsp/1":
			t.Errorf("User-Agent %q", r.UserAgent())
		case r.Header.Get("Accept") != "application/ocsp-response":
			t.Errorf("Accept %q", r.Header.Get("Accept"))
		case r.Header.Get("Accept-Encoding") != "":
			t.Errorf("Accept-Encoding %q", r.Header.Get("Accept-Encoding"))
		case r.Method == "POST" && (r.Header.Get("Content-Type") != "application/ocsp-request" || !bytes.Equal(body, request)):
			t.Errorf("POST of type %q: %q", r.Header.Get("Content-Type"), body)
		}
		answerTryLater(w, r)
	})
	client := newClient(t, responder.Config{UserAgent: "consul-ocsp/1"})
	for _, method := range []string{"GET", "POST"} {
		r := responder.Request{URL: s.URL, OCSP: request, Host: "ocsp.example.com", Method: method, Guard: own()}
		a, err := client.Exchange(t.Context(), r)
		if err != nil || a.Method != method {
			t.Fatal(a, err)
		}
	}
}

func TestURLsThatAreNeverDialled(t *testing.T) {
	client := newClient(t, responder.Config{})
	for _, u := range []string{
		"", "x", "http://", "http:///path", "ldap://ocsp.example.com/", "ftp://example.com", "file:///etc/passwd",
		"http://user:secret@127.0.0.1/", "http://127.0.0.1:port/", "http:opaque", "http://[::1", "://",
		"http://a b/", "http://example.com/" + strings.Repeat("x", 3000),
	} {
		_, err := client.Exchange(t.Context(), responder.Request{URL: u, Guard: own()})
		f := failure(t, err, responder.BadURL)
		if f.Requests != 0 {
			t.Errorf("%q: %d requests", u, f.Requests)
		}
		if strings.Contains(err.Error(), "\n") {
			t.Errorf("%q: error of several lines: %v", u, err)
		}
	}
	for _, host := range []string{"a b", "a\r\nX: y", "a/b", strings.Repeat("a", 300)} {
		_, err := client.Exchange(t.Context(), responder.Request{URL: "http://127.0.0.1:1/", Host: host, Guard: own()})
		failure(t, err, responder.BadURL)
	}
}

func TestARefusedConnection(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	u := "http://" + l.Addr().String()
	l.Close()
	_, err = newClient(t, responder.Config{}).Exchange(t.Context(), responder.Request{URL: u, Guard: own()})
	if f := failure(t, err, responder.Refused); f.Requests != 1 || f.Method != "GET" || f.URL != u {
		t.Errorf("%+v, want one GET: the other method would be refused, too", f)
	}
}

func TestCanceledIsNotATimeout(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	s, n := serve(t, func(w http.ResponseWriter, r *http.Request) {
		cancel()
		<-r.Context().Done()
	})
	_, err := newClient(t, responder.Config{}).Exchange(ctx, responder.Request{URL: s.URL, Guard: own()})
	failure(t, err, responder.Canceled)
	if n.String() != "GET" {
		t.Errorf("requests: %s", n)
	}
}

func TestReasonsAreOneWordEach(t *testing.T) {
	seen := map[responder.Reason]bool{}
	for _, r := range responder.Reasons() {
		if r.Meaning == "" || seen[r.Reason] || strings.Trim(string(r.Reason), "abcdefghijklmnopqrstuvwxyz-") != "" {
			t.Errorf("%+v", r)
		}
		seen[r.Reason] = true
	}
}

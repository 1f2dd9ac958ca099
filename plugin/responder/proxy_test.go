package responder_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"golang.org/x/net/http/httpproxy"

	"github.com/consul-ocsp/consul-ocsp/plugin/responder"
)

// proxy is a server that notes the first line of each request. It answers for
// every http host; where a tunnel is asked for it leads to one address.
type proxy struct {
	*httptest.Server
	tunnelTo string

	mu    sync.Mutex
	lines []string
}

func newProxy(t *testing.T, tunnelTo string) *proxy {
	t.Helper()
	p := &proxy{tunnelTo: tunnelTo}
	p.Server = httptest.NewServer(p)
	t.Cleanup(p.Close)
	return p
}

func (p *proxy) address() string { return strings.TrimPrefix(p.URL, "http://") }

func (p *proxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	p.lines = append(p.lines, r.Method+" "+r.RequestURI)
	p.mu.Unlock()
	if user, _, _ := parseProxyAuth(r); strings.HasPrefix(r.URL.Path, "/auth") && user != "agent" {
		http.Error(w, "who are you?", http.StatusProxyAuthRequired)
		return
	}
	if r.Method != http.MethodConnect {
		answerTryLater(w, r)
		return
	}
	if p.tunnelTo == "" {
		http.Error(w, "no tunnels here", http.StatusForbidden)
		return
	}
	there, err := net.Dial("tcp", p.tunnelTo)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadGateway)
		return
	}
	defer there.Close()
	here, _, err := w.(http.Hijacker).Hijack()
	if err != nil {
		panic(err)
	}
	defer here.Close()
	fmt.Fprint(here, "HTTP/1.1 200 OK\r\n\r\n")
	// Ends when either side closes, as both do in the end.
	go func() { io.Copy(there, here); there.Close() }()
	io.Copy(here, there)
}

func parseProxyAuth(r *http.Request) (user, password string, ok bool) {
	return (&http.Request{Header: http.Header{"Authorization": r.Header["Proxy-Authorization"]}}).BasicAuth()
}

func (p *proxy) asked() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	s := strings.Join(p.lines, ", ")
	p.lines = nil
	return s
}

func TestAProxyIsAskedWithTheWholeURL(t *testing.T) {
	p := newProxy(t, "")
	client := newClient(t, responder.Config{})
	for _, address := range []string{p.URL, p.address()} {
		// The host need not resolve here, and the proxy is private.
		r := responder.Request{URL: "http://ocsp.example.com/a", OCSP: []byte("DER"), Proxy: address}
		if a, err := client.Exchange(t.Context(), r); err != nil || a.URL != "http://ocsp.example.com/a/REVS" {
			t.Fatal(a, err)
		}
		r.Method, r.Host = http.MethodPost, "other.example.com"
		if _, err := client.Exchange(t.Context(), r); err != nil {
			t.Fatal(err)
		}
		if _, err := client.Issuer(t.Context(), responder.IssuerRequest{URL: "http://aia.example.com/ca.crt", Proxy: address}); err == nil {
			t.Error("an OCSP answer is no certificate")
		}
		if got, want := p.asked(), "GET http://ocsp.example.com/a/REVS, POST http://ocsp.example.com/a, GET http://aia.example.com/ca.crt"; got != want {
			t.Errorf("through %s: %s, want %s", address, got, want)
		}
	}
}

// A Host header of one's own does not change whom the proxy is to ask.
func TestAProxyIsSentTheHostHeaderBesideTheURL(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	head := make(chan string, 1)
	// Ends with the listener, or the connection.
	go func() {
		conn, err := l.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		b := make([]byte, 4096)
		n, _ := conn.Read(b)
		head <- string(b[:n])
	}()
	_, err = newClient(t, responder.Config{}).Exchange(t.Context(), responder.Request{
		URL: "http://ocsp.example.com:8080/a%2Fb", OCSP: []byte("DER"), Method: "GET", Host: "other.example.com", Proxy: l.Addr().String(),
	})
	failure(t, err, responder.Reset)
	if got, want := <-head, "GET http://ocsp.example.com:8080/a%2Fb/REVS HTTP/1.1\r\nHost: other.example.com\r\n"; !strings.HasPrefix(got, want) {
		t.Errorf("sent %q, want %q", got, want)
	}
}

// What a redirect leads to is checked behind a proxy, too.
func TestRedirectsBehindAProxy(t *testing.T) {
	client := newClient(t, responder.Config{})
	for _, c := range []struct {
		to     string
		guard  responder.Guard
		reason responder.Reason
	}{
		{"http://169.254.169.254/latest", responder.Guard{AllowPrivate: true, AllowPrivateAddresses: true}, responder.AddressForbidden},
		{"http://10.0.0.1/", own(), responder.AddressForbidden},
		{"http://ocsp.example.net/", responder.Guard{AllowedResponders: []string{"*.example.com"}}, responder.HostForbidden},
		{"ftp://ocsp.example.com/", responder.Guard{}, responder.Redirect},
	} {
		s, asked := serve(t, func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, c.to, http.StatusFound) })
		_, err := client.Exchange(t.Context(), responder.Request{
			URL: "http://ocsp.example.com/", OCSP: []byte("DER"), Method: "GET", Proxy: s.URL, Guard: c.guard,
		})
		if failure(t, err, c.reason); asked.String() != "GET" {
			t.Errorf("%s: the proxy was asked %s", c.to, asked)
		}
	}
}

func TestAProxyTunnelsHTTPS(t *testing.T) {
	secure := httptest.NewTLSServer(http.HandlerFunc(answerTryLater))
	t.Cleanup(secure.Close)
	p := newProxy(t, strings.TrimPrefix(secure.URL, "https://"))
	client := newClient(t, responder.Config{RootCAs: secure.Client().Transport.(*http.Transport).TLSClientConfig.RootCAs})
	r := responder.Request{URL: "https://example.com/", OCSP: []byte("DER"), Proxy: p.URL}
	if _, err := client.Exchange(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	if got := p.asked(); got != "CONNECT example.com:443" {
		t.Error(got)
	}
	r.Proxy = newProxy(t, "").URL
	_, err := client.Exchange(t.Context(), r)
	if f := failure(t, err, responder.Proxy); !strings.Contains(f.Error(), "403 Forbidden") {
		t.Error(f)
	}
}

func TestTheEnvironmentNamesTheProxyThatIsNotSet(t *testing.T) {
	first, second, set := newProxy(t, ""), newProxy(t, ""), newProxy(t, "")
	t.Setenv("HTTP_PROXY", first.URL)
	t.Setenv("HTTPS_PROXY", second.URL)
	t.Setenv("NO_PROXY", "direct.example.com,.internal.example.com,port.example.com:8080,192.0.2.128/25,198.51.100.7")
	t.Setenv("REQUEST_METHOD", "") // with it HTTP_PROXY would be somebody's header
	resolver := fakeDNS(t, nil)
	client := responder.New(responder.Config{Resolver: resolver})
	t.Cleanup(client.Close)
	ask := func(url, proxy string) error {
		_, err := client.Exchange(t.Context(), responder.Request{URL: url, OCSP: []byte("DER"), Method: "GET", Proxy: proxy})
		return err
	}
	if err := ask("http://ocsp.example.com/", ""); err != nil || first.asked() == "" {
		t.Error("http does not go through HTTP_PROXY", err)
	}
	failure(t, ask("https://ocsp.example.com/", ""), responder.Proxy)
	if second.asked() == "" {
		t.Error("https does not go through HTTPS_PROXY")
	}
	if err := ask("http://ocsp.example.com/", set.address()); err != nil || set.asked() == "" {
		t.Error("the proxy that is set does not count", err)
	}
	for _, host := range []string{"direct.example.com", "sub.direct.example.com", "a.internal.example.com", "port.example.com:8080"} {
		for _, proxy := range []string{"", set.URL} {
			failure(t, ask("http://"+host+"/", proxy), responder.DNS)
		}
	}
	// Nobody answers at these, and nobody is asked: it has ended before.
	over, cancel := context.WithCancel(t.Context())
	cancel()
	for _, host := range []string{"192.0.2.130", "198.51.100.7"} {
		_, err := client.Exchange(over, responder.Request{URL: "http://" + host + "/", OCSP: []byte("DER"), Proxy: set.URL})
		failure(t, err, responder.Canceled)
	}
	if got := first.asked() + second.asked() + set.asked(); got != "" {
		t.Errorf("hosts of NO_PROXY were asked through a proxy: %s", got)
	}
	for _, host := range []string{"port.example.com", "internal.example.com", "192.0.2.1", "198.51.100.8", "notdirect.example.com"} {
		if err := ask("http://"+host+"/", set.URL); err != nil || set.asked() == "" {
			t.Errorf("%s is not in NO_PROXY, but was not asked through the proxy: %v", host, err)
		}
	}
}

func TestWhatCanBeCheckedBehindAProxyIs(t *testing.T) {
	p := newProxy(t, "")
	client := newClient(t, responder.Config{})
	for _, c := range []struct {
		host   string
		guard  responder.Guard
		reason responder.Reason // "": an answer
	}{
		{"169.254.169.254", responder.Guard{AllowPrivate: true, AllowPrivateAddresses: true}, responder.AddressForbidden},
		{"169.254.169.254.", own(), responder.AddressForbidden},
		{"[::ffff:169.254.169.254]", own(), responder.AddressForbidden},
		{"10.0.0.1", responder.Guard{}, responder.AddressForbidden},
		{"10.0.0.1", own(), ""},
		{"10.0.0.1", responder.Guard{AllowedResponders: []string{"10.0.0.1"}}, ""},
		{"192.0.2.1", responder.Guard{}, ""},
		{"a.localhost", responder.Guard{}, responder.AddressForbidden},
		{"0xa9fea9fe", own(), responder.AddressForbidden},
		{"2852039166", own(), responder.AddressForbidden},
		{"169.254.43518", own(), responder.AddressForbidden},
		{"0251.0376.0251.0376", own(), responder.AddressForbidden},
		{"１６９.254.169.254", own(), responder.AddressForbidden},
		{"ocsp.example.com", responder.Guard{AllowedResponders: []string{"*.example.net"}}, responder.HostForbidden},
		{"ocsp.example.com", responder.Guard{AllowedResponders: []string{"*.example.com"}}, ""},
	} {
		_, err := client.Exchange(t.Context(), responder.Request{URL: "http://" + c.host + "/", OCSP: []byte("DER"), Proxy: p.URL, Guard: c.guard})
		asked := p.asked()
		if c.reason == "" {
			if err != nil || asked == "" {
				t.Errorf("%s: %v", c.host, err)
			}
			continue
		}
		failure(t, err, c.reason)
		if asked != "" {
			t.Errorf("%s: the proxy was asked %s", c.host, asked)
		}
	}
}

func TestAProxyThatRefuses(t *testing.T) {
	p := newProxy(t, "")
	client := newClient(t, responder.Config{})
	r := responder.Request{URL: "http://ocsp.example.com/auth", OCSP: []byte("DER"), Proxy: p.URL}
	_, err := client.Exchange(t.Context(), r)
	if f := failure(t, err, responder.Proxy); f.HTTPStatus != http.StatusProxyAuthRequired || strings.Count(p.asked(), "auth") != 1 {
		t.Errorf("%+v, want one request: the other method would be refused, too", f)
	}
	r.Proxy = "http://agent:geheim@" + p.address()
	if _, err := client.Exchange(t.Context(), r); err != nil {
		t.Error(err)
	}
	p.Close()
	_, err = client.Exchange(t.Context(), r)
	if f := failure(t, err, responder.Proxy); strings.Contains(f.Error(), "geheim") {
		t.Error("the password is in the error")
	}
	r.Proxy = "http://agent:geheim@[::1"
	_, err = client.Exchange(t.Context(), r)
	if f := failure(t, err, responder.Proxy); strings.Contains(f.Error(), "geheim") || f.Requests != 0 {
		t.Errorf("%+v", f)
	}
	r.Proxy = "169.254.1.1:3128"
	_, err = client.Exchange(t.Context(), r)
	failure(t, err, responder.AddressForbidden)
}

// A connection that was made to a proxy serves no direct request, nor one
// through another proxy.
func TestConnectionsThroughAProxyAreKeptApart(t *testing.T) {
	one, other := newProxy(t, ""), newProxy(t, "")
	client := newClient(t, responder.Config{Proxy: &httpproxy.Config{}, Resolver: fakeDNS(t, nil)})
	for _, c := range []struct {
		proxy string
		asked *proxy
	}{{one.URL, one}, {other.URL, other}, {"", nil}, {one.URL, one}} {
		_, err := client.Exchange(t.Context(), responder.Request{URL: "http://ocsp.example.com/", OCSP: []byte("DER"), Proxy: c.proxy})
		if c.asked == nil {
			failure(t, err, responder.DNS)
		} else if err != nil || c.asked.asked() == "" {
			t.Errorf("%q: %v", c.proxy, err)
		}
		if got := one.asked() + other.asked(); got != "" {
			t.Errorf("%q: asked besides: %s", c.proxy, got)
		}
	}
}

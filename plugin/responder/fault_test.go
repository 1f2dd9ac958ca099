package responder_test

import (
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/crypto/ocsp"

	"github.com/consul-ocsp/consul-ocsp/plugin/responder"
	"github.com/consul-ocsp/consul-ocsp/plugin/testca"
)

func page(status int, contentType, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", contentType)
		w.WriteHeader(status)
		w.Write([]byte(body))
	}
}

// hijack answers with raw bytes and closes the connection.
func hijack(raw string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		conn, _, err := w.(http.Hijacker).Hijack()
		if err != nil {
			panic(err)
		}
		conn.Write([]byte(raw))
		conn.Close()
	}
}

func TestFaultsOfAResponder(t *testing.T) {
	whole := string(tryLater())
	for _, c := range []struct {
		name    string
		h       http.HandlerFunc
		reason  responder.Reason
		methods string
	}{
		{"html with 200", page(200, "text/html", "<html>sign in</html>"), responder.NotOCSP, "GET POST"},
		{"a zero", page(200, "application/ocsp-response", "0"), responder.NotOCSP, "GET POST"},
		{"empty 200", page(200, "application/ocsp-response", ""), responder.Empty, "GET POST"},
		{"404 with html", page(404, "text/html", "<html>not here</html>"), responder.HTTPStatus, "GET POST"},
		{"405", page(405, "text/plain", "no"), responder.HTTPStatus, "GET POST"},
		{"500", page(500, "text/plain", "no"), responder.HTTPStatus, "GET POST"},
		{"429 is left alone", page(429, "text/plain", "no"), responder.HTTPStatus, "GET"},
		{"503 is left alone", page(503, "text/plain", "no"), responder.HTTPStatus, "GET"},
		{"304 for nothing that we hold", page(304, "", ""), responder.NotModified, "GET POST"},
		{"redirect to nowhere", page(302, "", ""), responder.HTTPStatus, "GET POST"},
		{"oversize, length told", page(200, "application/ocsp-response", whole+strings.Repeat("x", responder.MaxBody)), responder.TooLarge, "GET POST"},
		{"truncated DER", page(200, "application/ocsp-response", "\x30\x82\x01\x00\x0a\x01\x00\xa0"), responder.Truncated, "GET POST"},
		{"truncated body", hijack("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort"), responder.Truncated, "GET POST"},
		{"closed without an answer", hijack(""), responder.Reset, "GET POST"},
		{"not HTTP", hijack("220 mail.example.com ESMTP\r\n"), responder.Protocol, "GET POST"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s, n := serve(t, c.h)
			_, err := newClient(t, responder.Config{}).Exchange(t.Context(),
				responder.Request{URL: s.URL, OCSP: []byte("DER"), Guard: own()})
			f := failure(t, err, c.reason)
			if n.String() != c.methods {
				t.Errorf("requests %q, want %q", n, c.methods)
			}
			if f.Requests != len(strings.Fields(c.methods)) || f.URL != s.URL {
				t.Errorf("failure %+v", f)
			}
		})
	}
}

func TestAnEndlessBodyIsCutOff(t *testing.T) {
	s, _ := serve(t, func(w http.ResponseWriter, r *http.Request) {
		chunk := []byte(strings.Repeat("x", 4096))
		for r.Context().Err() == nil {
			if _, err := w.Write(chunk); err != nil {
				return
			}
		}
	})
	_, err := newClient(t, responder.Config{}).Exchange(t.Context(), responder.Request{URL: s.URL, Guard: own()})
	failure(t, err, responder.TooLarge)
}

func TestTimeBoundsTheWholeExchange(t *testing.T) {
	silent := func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }
	drip := func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", "1000")
		tick := time.NewTicker(10 * time.Millisecond)
		defer tick.Stop()
		for {
			w.Write([]byte{0x30})
			w.(http.Flusher).Flush()
			select {
			case <-r.Context().Done():
				return
			case <-tick.C:
			}
		}
	}
	slowAfterRedirect := func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/slow" {
			http.Redirect(w, r, "/slow", http.StatusFound)
			return
		}
		<-r.Context().Done()
	}
	for name, h := range map[string]http.HandlerFunc{
		"accepts and never answers": silent, "a byte now and then": drip, "slow behind a redirect": slowAfterRedirect,
	} {
		t.Run(name, func(t *testing.T) {
			s, _ := serve(t, h)
			g := responder.Guard{AllowPrivateAddresses: true}
			_, err := newClient(t, responder.Config{}).Exchange(t.Context(),
				responder.Request{URL: s.URL, OCSP: []byte("DER"), Timeout: 200 * time.Millisecond, Guard: g})
			failure(t, err, responder.Timeout)
		})
	}
}

func TestAListenerThatNeverAccepts(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, err = newClient(t, responder.Config{}).Exchange(t.Context(),
		responder.Request{URL: "http://" + l.Addr().String(), Timeout: 100 * time.Millisecond, Guard: own()})
	failure(t, err, responder.Timeout)
}

func TestTLSFailures(t *testing.T) {
	secure := httptest.NewUnstartedServer(http.HandlerFunc(answerTryLater))
	secure.Config.ErrorLog = log.New(io.Discard, "", 0)
	secure.StartTLS()
	t.Cleanup(secure.Close)
	plain, _ := serve(t, answerTryLater)
	client := newClient(t, responder.Config{})
	for _, u := range []string{secure.URL, strings.Replace(plain.URL, "http:", "https:", 1)} {
		_, err := client.Exchange(t.Context(), responder.Request{URL: u, Guard: own()})
		failure(t, err, responder.TLS)
	}
	trusting := newClient(t, responder.Config{RootCAs: secure.Client().Transport.(*http.Transport).TLSClientConfig.RootCAs})
	if _, err := trusting.Exchange(t.Context(), responder.Request{URL: secure.URL, Guard: own()}); err != nil {
		t.Error(err)
	}
}

func TestRetryAfterIsHandedOn(t *testing.T) {
	s, _ := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Retry-After", "120")
		w.WriteHeader(http.StatusServiceUnavailable)
	})
	_, err := newClient(t, responder.Config{}).Exchange(t.Context(), responder.Request{URL: s.URL, Guard: own()})
	f := failure(t, err, responder.HTTPStatus)
	if f.RetryAfter != 2*time.Minute || f.HTTPStatus != 503 {
		t.Errorf("%+v", f)
	}
	if want := "http-status 503 Service Unavailable"; !strings.Contains(f.Error(), want) {
		t.Errorf("%q does not contain %q", f, want)
	}
}

func TestAnOCSPAnswerWithAnHTTPErrorIsAnAnswer(t *testing.T) {
	for _, status := range []int{400, 401, 404, 500, 503} {
		s, n := serve(t, page(status, "application/ocsp-response", string(tryLater())))
		a, err := newClient(t, responder.Config{}).Exchange(t.Context(), responder.Request{URL: s.URL, Guard: own()})
		if err != nil {
			t.Fatal(err)
		}
		if a.HTTPStatus != status || a.Status != int(ocsp.TryLater) || n.String() != "GET" {
			t.Errorf("%+v after %s", a, n)
		}
	}
}

func TestAWrongContentTypeIsToldNotRefused(t *testing.T) {
	for contentType, wrong := range map[string]bool{
		"application/ocsp-response":          false,
		"Application/OCSP-Response; charset": false,
		"text/html":                          true,
		"":                                   true,
	} {
		s, _ := serve(t, func(w http.ResponseWriter, _ *http.Request) {
			w.Header()["Content-Type"] = []string{contentType}
			w.Write(tryLater())
		})
		a, err := newClient(t, responder.Config{}).Exchange(t.Context(), responder.Request{URL: s.URL, Guard: own()})
		if err != nil {
			t.Fatal(err)
		}
		if a.WrongType != wrong {
			t.Errorf("type %q: wrong %v, want %v", contentType, a.WrongType, wrong)
		}
	}
}

func TestTheMethodThatWorksIsRemembered(t *testing.T) {
	now := time.Now()
	only := func(method string, refuse http.HandlerFunc) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			if r.Method == method {
				answerTryLater(w, r)
				return
			}
			refuse(w, r)
		}
	}
	malformed := page(200, "application/ocsp-response", string(testca.ErrorResponse(ocsp.Malformed)))
	for _, c := range []struct {
		name, first, second, later string
		path                       string
		h                          http.HandlerFunc
	}{
		{"only POST", "GET POST", "POST", "GET POST", "", only("POST", page(404, "text/html", "?"))},
		{"GET is mangled", "GET POST", "POST", "GET POST", "", only("POST", malformed)},
		{"only GET", "POST GET", "GET", "POST GET", strings.Repeat("/long", 60), only("GET", hijack(""))},
	} {
		t.Run(c.name, func(t *testing.T) {
			s, n := serve(t, c.h)
			clock := now
			client := newClient(t, responder.Config{Now: func() time.Time { return clock }})
			for _, step := range []struct {
				pass time.Duration
				want string
			}{{0, c.first}, {time.Minute, c.second}, {2 * time.Hour, c.later}} {
				clock = clock.Add(step.pass)
				*n = counter{}
				a, err := client.Exchange(t.Context(), responder.Request{URL: s.URL + c.path, OCSP: []byte("DER"), Guard: own()})
				if err != nil {
					t.Fatal(err)
				}
				if n.String() != step.want || a.Requests != len(strings.Fields(step.want)) {
					t.Errorf("after %v: requests %q (%d counted), want %q", step.pass, n, a.Requests, step.want)
				}
			}
		})
	}
}

// Where one method is never answered, the exchange's time is over before the
// other can be tried: the next exchange begins with that one.
func TestTheOtherMethodIsTriedAfterATimeout(t *testing.T) {
	now := time.Now()
	for _, c := range []struct {
		name   string
		silent func(exchange int, method string) bool
		want   string
	}{
		{"GET is dropped on the way", func(_ int, method string) bool { return method == "GET" }, "GET: timeout, POST, GET: timeout, POST, POST, POST, later GET: timeout"},
		{"away for a moment", func(n int, _ string) bool { return n == 0 }, "GET: timeout, POST, GET, GET, GET, GET, later GET"},
		{"dead", func(int, string) bool { return true }, "GET: timeout, POST: timeout, GET: timeout, POST: timeout, GET: timeout, POST: timeout, later GET: timeout"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			var exchange atomic.Int64
			clock := now
			s, n := serve(t, func(w http.ResponseWriter, r *http.Request) {
				if c.silent(int(exchange.Load()), r.Method) {
					io.Copy(io.Discard, r.Body) // or the end of the connection goes unnoticed
					<-r.Context().Done()
					return
				}
				answerTryLater(w, r)
			})
			client := newClient(t, responder.Config{Now: func() time.Time { return clock }})
			var got []string
			for ; exchange.Load() < 7; exchange.Add(1) {
				*n = counter{}
				later := ""
				if exchange.Load() == 6 {
					clock, later = clock.Add(2*time.Hour), "later "
				}
				timeout := 10 * time.Second
				if c.silent(int(exchange.Load()), "GET") {
					timeout = 150 * time.Millisecond
				}
				_, err := client.Exchange(t.Context(), responder.Request{URL: s.URL, OCSP: []byte("DER"), Timeout: timeout, Guard: own()})
				result := later + n.String()
				if err != nil {
					result += ": " + string(failure(t, err, responder.Timeout).Reason)
				}
				got = append(got, result)
			}
			if strings.Join(got, ", ") != c.want {
				t.Errorf("asked by %s, want %s", strings.Join(got, ", "), c.want)
			}
		})
	}
}

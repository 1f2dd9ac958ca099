package testca

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"errors"
	"io"
	"math/big"
	"net"
	"net/http"
	"slices"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/crypto/ocsp"
)

func TestFaultsAreListedByGroups(t *testing.T) {
	t.Parallel()
	var groups []string
	seen := map[string]bool{}
	for _, f := range Faults() {
		if seen[f.Name] || f.Name != strings.ToLower(f.Name) || strings.ContainsAny(f.Name, " @_") {
			t.Errorf("%q is no name, or twice a name", f.Name)
		}
		if f.Does == "" || len(f.Does) > 100 || strings.ContainsAny(f.Does, "\n") || strings.HasSuffix(f.Does, ".") {
			t.Errorf("%s: %q is not one line", f.Name, f.Does)
		}
		seen[f.Name] = true
		groups = append(groups, f.Group)
		if err := CheckFault(f.Name); (err != nil) != (f.Group == "url") {
			t.Errorf("%s: %v", f.Name, err)
		}
	}
	want := []string{"transport", "url", "status", "refuse", "accept", "entries", "unstaplable", "unknown", "clock"}
	if got := slices.Compact(groups); !slices.Equal(got, want) {
		t.Errorf("groups %q, want %q", got, want)
	}
}

func TestCheckFault(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"":             "",
		"html":         "",
		"html@3":       "",
		"htlm":         `fault "htlm" is none; near it are html,`,
		"delegate-fut": "delegate-future",
		"HTML":         "html",
		"html@":        `"" is no number of requests`,
		"html@0":       "is no number",
		"html@x":       "is no number",
		"html@9999999": "is no number",
		"refused@2":    "spoils connections",
		"dns":          "made by the certificate: testca issue -responder=http://ocsp.invalid",
	} {
		err := CheckFault(text)
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
	c := newCA(t, InitOptions{})
	res, err := http.Get(serve(t, c, ResponderOptions{Fault: "htlm"}))
	if err != nil || res.StatusCode != http.StatusInternalServerError {
		t.Errorf("%v %v", res, err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	wantError(t, c.Serve(t.Context(), l, ResponderOptions{Fault: "htlm"}), "near it are html")
	if _, err := l.Accept(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("the listener is open: %v", err)
	}
}

// serveFault runs Serve until the test ends.
func serveFault(t *testing.T, c *CA, fault string) (address string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	// Ends with ctx.
	go func() { done <- c.Serve(ctx, l, ResponderOptions{Fault: fault}) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return l.Addr().String()
}

func TestAFaultForSomeRequests(t *testing.T) {
	t.Parallel()
	c := newCA(t, InitOptions{})
	leaf := issue(t, c, IssueOptions{}, "www.example.com").Leaf
	url := serve(t, c, ResponderOptions{Fault: "try-later@2"})
	for n := range 3 {
		_, err := ocsp.ParseResponse(post(t, url, newRequest(t, leaf, c.Certificate(), 0)), c.Certificate())
		if _, later := err.(ocsp.ResponseError); later != (n < 2) {
			t.Errorf("request %d: %v", n, err)
		}
		// What is no OCSP request does not count.
		res, err := http.Get(url + "/ca.crt")
		if err != nil || res.StatusCode != http.StatusOK {
			t.Errorf("ca.crt: %v %v", res, err)
		}
	}
}

func TestTheSameBytesAgain(t *testing.T) {
	t.Parallel()
	c := newCA(t, InitOptions{})
	one, two := issue(t, c, IssueOptions{}, "1.example").Leaf, issue(t, c, IssueOptions{}, "2.example").Leaf
	url := serve(t, c, ResponderOptions{Fault: "same"})
	sum := func(n int) [32]byte {
		leaf := one
		if n == 2 {
			leaf = two
		}
		return sha256.Sum256(post(t, url, newRequest(t, leaf, c.Certificate(), 0)))
	}
	if first, other, again := sum(1), sum(2), sum(1); first != again || first == other {
		t.Errorf("%x %x %x", first, other, again)
	}
}

func TestFaultsOfConnections(t *testing.T) {
	t.Parallel()
	c := newCA(t, InitOptions{})
	leaf := issue(t, c, IssueOptions{}, "www.example.com").Leaf
	ask := func(url string) error {
		client := &http.Client{Transport: &http.Transport{}}
		res, err := client.Post(url, "application/ocsp-request", strings.NewReader(string(newRequest(t, leaf, c.Certificate(), 0))))
		if err != nil {
			return err
		}
		defer res.Body.Close()
		_, err = io.ReadAll(res.Body)
		return err
	}
	is := func(target error) func(error) bool {
		return func(err error) bool { return errors.Is(err, target) }
	}
	for name, x := range map[string]struct {
		scheme string
		want   func(error) bool
	}{
		"refused":   {"http", is(syscall.ECONNREFUSED)},
		"reset":     {"http", is(syscall.ECONNRESET)},
		"closed":    {"http", is(io.EOF)},
		"truncated": {"http", is(io.ErrUnexpectedEOF)},
		"tls-alert": {"https", func(err error) bool { return strings.Contains(err.Error(), "remote error: tls: ") }},
		"tls-untrusted": {"https", func(err error) bool {
			var untrusted *tls.CertificateVerificationError
			return errors.As(err, &untrusted)
		}},
	} {
		t.Run(name, func(t *testing.T) {
			address := serveFault(t, c, name)
			err := ask(x.scheme + "://" + address)
			for name == "refused" && err != nil && !x.want(err) {
				err = ask(x.scheme + "://" + address) // until the port is closed
			}
			if err == nil || !x.want(err) {
				t.Errorf("%v", err)
			}
		})
	}
}

// TestServeEndsDespiteItsFault has a client that waits for an answer that never
// comes, or never ends.
func TestServeEndsDespiteItsFault(t *testing.T) {
	t.Parallel()
	c := newCA(t, InitOptions{})
	leaf := issue(t, c, IssueOptions{}, "www.example.com").Leaf
	for _, name := range []string{"silent", "slow", "endless"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithCancel(t.Context())
			served, asked := make(chan error, 1), make(chan struct{}, 1)
			o := ResponderOptions{Fault: name, OnRequest: func(serial *big.Int, _ string) { asked <- struct{}{} }}
			// Ends with ctx.
			go func() { served <- c.Serve(ctx, l, o) }()
			answered := make(chan error, 1)
			// Ends when the server closes the connection.
			go func() {
				res, err := http.Post("http://"+l.Addr().String(), "", strings.NewReader(string(newRequest(t, leaf, c.Certificate(), 0))))
				if err == nil {
					_, err = io.Copy(io.Discard, res.Body)
					res.Body.Close()
				}
				answered <- err
			}()
			<-asked
			cancel()
			if err := <-served; err != nil {
				t.Error(err)
			}
			if err := <-answered; err == nil {
				t.Error("there was a whole answer")
			}
		})
	}
}

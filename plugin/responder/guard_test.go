package responder_test

import (
	"context"
	"net"
	"net/http"
	"strings"
	"testing"

	"golang.org/x/net/dns/dnsmessage"

	"github.com/consul-ocsp/consul-ocsp/plugin/responder"
)

func TestAddressesOutOfReachWhateverIsAllowed(t *testing.T) {
	client := newClient(t, responder.Config{})
	for _, host := range []string{
		"169.254.169.254", "[::ffff:169.254.169.254]", "[64:ff9b::a9fe:a9fe]", "[2002:a9fe:a9fe::1]", "[::a9fe:a9fe]",
		"[fd00:ec2::254]", "100.100.100.200", "168.63.129.16", "0.0.0.0", "[::]", "[::ffff:0.0.0.0]",
		"224.0.0.1", "[ff02::1]", "[fe80::1]", "[fe80::1%25lo]", "255.255.255.255",
	} {
		g := responder.Guard{AllowPrivate: true, AllowPrivateAddresses: true, AllowedResponders: []string{"*"}}
		_, err := client.Exchange(t.Context(), responder.Request{URL: "http://" + host + "/", Guard: g})
		failure(t, err, responder.AddressForbidden)
	}
}

func TestPrivateAddressesNeedAWord(t *testing.T) {
	client := newClient(t, responder.Config{})
	for _, host := range []string{
		"127.0.0.1", "[::1]", "localhost", "10.0.0.1", "172.16.0.1", "192.168.1.1", "100.64.0.1", "[fc00::1]", "[fd12::1]",
		"[::ffff:127.0.0.1]", "[::ffff:10.0.0.1]", "[64:ff9b::a00:1]", "[2002:a00:1::]", "[::7f00:1]",
	} {
		_, err := client.Exchange(t.Context(), responder.Request{URL: "http://" + host + ":1/"})
		failure(t, err, responder.AddressForbidden)
	}
	s, _ := serve(t, answerTryLater)
	for name, g := range map[string]responder.Guard{
		"own":      {AllowPrivate: true},
		"everyone": {AllowPrivateAddresses: true},
		"host":     {AllowedResponders: []string{"ocsp.example.com", "127.0.0.*"}},
	} {
		if _, err := client.Exchange(t.Context(), responder.Request{URL: s.URL, Guard: g}); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	// The connections of those are idle now, and must not serve this one.
	_, err := client.Exchange(t.Context(), responder.Request{URL: s.URL})
	failure(t, err, responder.AddressForbidden)
}

func TestTheAddressIsCheckedAfterDNS(t *testing.T) {
	resolver := fakeDNS(t, map[string][4]byte{
		"metadata.example.com.": {169, 254, 169, 254},
		"internal.example.com.": {127, 0, 0, 1},
	})
	client := newClient(t, responder.Config{Resolver: resolver})
	_, err := client.Exchange(t.Context(), responder.Request{URL: "http://metadata.example.com/", Guard: own()})
	failure(t, err, responder.AddressForbidden)
	_, err = client.Exchange(t.Context(), responder.Request{URL: "http://internal.example.com:1/"})
	failure(t, err, responder.AddressForbidden)
	_, err = client.Exchange(t.Context(), responder.Request{URL: "http://internal.example.com:1/", Guard: own()})
	failure(t, err, responder.Refused)
	_, err = client.Exchange(t.Context(), responder.Request{URL: "http://nowhere.example.com/", Guard: own()})
	failure(t, err, responder.DNS)
}

func TestAllowedResponders(t *testing.T) {
	s, n := serve(t, answerTryLater)
	client := newClient(t, responder.Config{})
	port := s.URL[strings.LastIndex(s.URL, ":"):]
	for _, c := range []struct {
		host, pattern string
		allowed       bool
	}{
		{"127.0.0.1", "127.0.0.1", true},
		{"127.0.0.1", "127.0.0.1" + port, false},
		{"127.0.0.1", "127.*", true},
		{"127.0.0.1", "*.example.com", false},
		{"127.0.0.1", "", false},
		{"127.0.0.1", "[", false},
		{"localhost", "LOCALHOST", true},
		{"LocalHost", "localhost.", true},
		{"localhost", "local", false},
		{"[::ffff:127.0.0.1]", "127.0.0.1", true},
	} {
		before := len(n.String())
		g := responder.Guard{AllowPrivate: true, AllowedResponders: []string{"other.example.com", c.pattern}}
		_, err := client.Exchange(t.Context(), responder.Request{URL: "http://" + c.host + port, Guard: g})
		if c.allowed && err != nil {
			t.Errorf("%s with %q: %v", c.host, c.pattern, err)
		}
		if !c.allowed {
			failure(t, err, responder.HostForbidden)
			if len(n.String()) != before {
				t.Errorf("%s with %q: the host was asked", c.host, c.pattern)
			}
		}
	}
}

func TestRedirects(t *testing.T) {
	target, asked := serve(t, answerTryLater)
	everyone := responder.Guard{AllowPrivateAddresses: true}
	for _, c := range []struct {
		name, to string
		guard    responder.Guard
		reason   responder.Reason // "": an answer
	}{
		{"to another host", target.URL, everyone, ""},
		{"to a host by pattern", target.URL, responder.Guard{AllowedResponders: []string{"127.0.0.1"}}, ""},
		{"to loopback, unasked", target.URL, own(), responder.AddressForbidden},
		{"to the metadata service", "http://169.254.169.254/latest/meta-data", everyone, responder.AddressForbidden},
		{"to a host that is not allowed", "http://ocsp.example.net/", responder.Guard{AllowedResponders: []string{"127.0.0.1"}}, responder.HostForbidden},
		{"in a circle", "/", everyone, responder.Redirect},
		{"to a file", "file:///etc/passwd", everyone, responder.Redirect},
		{"to ldap", "ldap://127.0.0.1/", everyone, responder.Redirect},
		{"to a password", "http://a:b@127.0.0.1/", everyone, responder.Redirect},
		{"to no URL", "http://[", everyone, responder.Redirect},
		{"to a long one", "/" + strings.Repeat("x", 3000), everyone, responder.Redirect},
	} {
		t.Run(c.name, func(t *testing.T) {
			s, n := serve(t, func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Location", c.to)
				w.WriteHeader(http.StatusFound)
			})
			*asked = counter{}
			a, err := newClient(t, responder.Config{}).Exchange(t.Context(),
				responder.Request{URL: s.URL, OCSP: []byte("DER"), Method: "GET", Guard: c.guard})
			if c.reason == "" {
				if err != nil || a.Requests != 2 || !strings.HasPrefix(a.URL, target.URL) {
					t.Fatalf("%+v, %v", a, err)
				}
				return
			}
			f := failure(t, err, c.reason)
			if asked.String() != "" {
				t.Errorf("the target was asked: %s", asked)
			}
			if c.name == "in a circle" && (f.Requests != 4 || n.String() != "GET GET GET GET") {
				t.Errorf("%d requests (%s), want the first and 3 redirects", f.Requests, n)
			}
		})
	}
}

func TestARedirectedPOSTKeepsItsQuestion(t *testing.T) {
	for status, want := range map[int]string{301: "POST POST", 302: "POST POST", 303: "POST GET", 307: "POST POST", 308: "POST POST"} {
		s, n := serve(t, func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/" {
				w.Header().Set("Location", "/next")
				w.WriteHeader(status)
				return
			}
			if r.Method == "POST" && r.ContentLength != 3 {
				t.Errorf("%d: body of %d bytes", status, r.ContentLength)
			}
			answerTryLater(w, r)
		})
		_, err := newClient(t, responder.Config{}).Exchange(t.Context(), responder.Request{
			URL: s.URL + "/", OCSP: []byte("DER"), Method: "POST", Guard: responder.Guard{AllowPrivateAddresses: true}})
		if err != nil || n.String() != want {
			t.Errorf("%d: requests %q, want %q (%v)", status, n, want, err)
		}
	}
}

// fakeDNS is a resolver that knows these A records only.
func fakeDNS(t *testing.T, records map[string][4]byte) *net.Resolver {
	t.Helper()
	return fakeDNSOf(t, func() map[string][4]byte { return records })
}

// fakeDNSOf is a resolver whose records may change.
func fakeDNSOf(t *testing.T, records func() map[string][4]byte) *net.Resolver {
	t.Helper()
	server, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { server.Close() })
	// Ends when the socket is closed.
	go func() {
		buf := make([]byte, 1500)
		for {
			n, from, err := server.ReadFrom(buf)
			if err != nil {
				return
			}
			if reply, err := dnsReply(buf[:n], records()); err == nil {
				server.WriteTo(reply, from)
			}
		}
	}()
	return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "udp", server.LocalAddr().String())
	}}
}

func dnsReply(query []byte, records map[string][4]byte) ([]byte, error) {
	var m dnsmessage.Message
	if err := m.Unpack(query); err != nil || len(m.Questions) != 1 {
		return nil, err
	}
	q := m.Questions[0]
	reply := dnsmessage.Message{Header: dnsmessage.Header{ID: m.ID, Response: true, RecursionAvailable: true}, Questions: m.Questions}
	address, known := records[q.Name.String()]
	switch {
	case !known:
		reply.RCode = dnsmessage.RCodeNameError
	case q.Type == dnsmessage.TypeA:
		reply.Answers = []dnsmessage.Resource{{
			Header: dnsmessage.ResourceHeader{Name: q.Name, Type: q.Type, Class: q.Class, TTL: 1},
			Body:   &dnsmessage.AResource{A: address},
		}}
	}
	return reply.Pack()
}

package handshake

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"net"
	"sync"
	"testing"
	"time"

	"golang.org/x/crypto/ocsp"

	"github.com/consul-ocsp/consul-ocsp/plugin/staple"
	"github.com/consul-ocsp/consul-ocsp/plugin/testca"
	"github.com/consul-ocsp/consul-ocsp/plugin/testca/testcatest"
)

// server is a TLS server with these certificates; it ends with the test.
func server(t *testing.T, certificates ...tls.Certificate) string {
	t.Helper()
	l, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: certificates})
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	wg.Go(func() { // ends when the listener is closed
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			wg.Go(func() { // ends with the client
				defer conn.Close()
				_ = conn.(*tls.Conn).Handshake()
			})
		}
	})
	t.Cleanup(func() { l.Close(); wg.Wait() })
	return l.Addr().String()
}

// issue is a certificate with this staple.
func issue(t *testing.T, ca *testca.CA, key testca.KeyType, answer func(*testca.Issued) []byte) (tls.Certificate, *testca.Issued) {
	t.Helper()
	i := testcatest.Issue(t, ca, testca.IssueOptions{Key: key, MustStaple: true}, "www.example.test")
	c := tls.Certificate{Certificate: [][]byte{i.Leaf.Raw, ca.Certificate().Raw}, PrivateKey: i.Key}
	if answer != nil {
		c.OCSPStaple = answer(i)
	}
	return c, i
}

func respond(t *testing.T, ca *testca.CA, status int) func(*testca.Issued) []byte {
	return func(i *testca.Issued) []byte {
		now := time.Now()
		return testcatest.Respond(t, ca, testca.Answer{Status: status, Serial: i.Serial, ThisUpdate: now.Add(-time.Minute), NextUpdate: now.Add(time.Hour)})
	}
}

func TestConnect(t *testing.T) {
	ca, other := testcatest.Init(t, testca.InitOptions{}), testcatest.Init(t, testca.InitOptions{})
	for _, c := range []struct {
		name   string
		answer func(*testca.Issued) []byte
		status staple.Status
		reason staple.Reason
	}{
		{"good", respond(t, ca, ocsp.Good), staple.Good, ""},
		{"revoked", respond(t, ca, ocsp.Revoked), staple.Revoked, ""},
		{"nothing", nil, "", ""},
		{"forged", respond(t, other, ocsp.Good), "", staple.IssuerHash},
	} {
		t.Run(c.name, func(t *testing.T) {
			certificate, issued := issue(t, ca, testca.ECDSA, c.answer)
			r, err := Connect(context.Background(), Options{Address: server(t, certificate), ServerName: "www.example.test"})
			if err != nil {
				t.Fatal(err)
			}
			if !r.MustStaple || !r.Leaf.Equal(issued.Leaf) || r.Issuer == nil {
				t.Errorf("must-staple %v, issuer %v", r.MustStaple, r.Issuer)
			}
			if c.status != "" && (r.Refusal != nil || r.Facts == nil || r.Facts.Status != c.status) {
				t.Errorf("%+v, %v; want %s", r.Facts, r.Refusal, c.status)
			}
			if c.status == "" && (r.Facts != nil || staple.ReasonOf(r.Refusal) != c.reason) {
				t.Errorf("%+v, %v; want the reason %q", r.Facts, r.Refusal, c.reason)
			}
		})
	}
}

func TestKeyTypeChoosesTheCertificate(t *testing.T) {
	ca := testcatest.Init(t, testca.InitOptions{})
	first, _ := issue(t, ca, testca.ECDSA, respond(t, ca, ocsp.Good))
	second, rsa := issue(t, ca, testca.RSA, respond(t, ca, ocsp.Good))
	address := server(t, first, second)
	r, err := Connect(context.Background(), Options{Address: address, ServerName: "www.example.test", KeyType: "rsa"})
	if err != nil {
		t.Fatal(err)
	}
	if !r.Leaf.Equal(rsa.Leaf) || r.Facts == nil {
		t.Errorf("got the certificate %v, %v", r.Leaf.PublicKeyAlgorithm, r.Refusal)
	}
}

func TestRootsDecideAboutTheChain(t *testing.T) {
	ca, other := testcatest.Init(t, testca.InitOptions{}), testcatest.Init(t, testca.InitOptions{})
	certificate, _ := issue(t, ca, testca.ECDSA, respond(t, ca, ocsp.Good))
	certificate.Certificate = certificate.Certificate[:1] // the issuer is the client's to know
	address := server(t, certificate)
	for _, c := range []struct {
		root *x509.Certificate
		ok   bool
	}{{ca.Certificate(), true}, {other.Certificate(), false}} {
		pool := x509.NewCertPool()
		pool.AddCert(c.root)
		r, err := Connect(context.Background(), Options{Address: address, ServerName: "www.example.test", RootCAs: pool})
		if (err == nil) != c.ok {
			t.Errorf("%v; want a connection: %v", err, c.ok)
		}
		if c.ok && (r == nil || r.Facts == nil) {
			t.Errorf("the staple was not verified with the root: %+v", r)
		}
	}
	r, err := Connect(context.Background(), Options{Address: address})
	if err != nil || r.Refusal == nil || r.Facts != nil {
		t.Errorf("without an issuer: %+v, %v", r, err)
	}
}

func TestSilentServerEnds(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if _, err := Connect(context.Background(), Options{Address: l.Addr().String(), Timeout: 50 * time.Millisecond}); err == nil {
		t.Error("a handshake with nobody")
	}
}

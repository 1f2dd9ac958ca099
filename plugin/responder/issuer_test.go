package responder_test

import (
	"encoding/pem"
	"net/http/httptest"
	"testing"

	"go.mozilla.org/pkcs7"

	"github.com/consul-ocsp/consul-ocsp/plugin/responder"
	"github.com/consul-ocsp/consul-ocsp/plugin/testca"
	"github.com/consul-ocsp/consul-ocsp/plugin/testca/testcatest"
)

func TestIssuersInEveryForm(t *testing.T) {
	ca := testcatest.Init(t, testca.InitOptions{})
	der := ca.Certificate().Raw
	p7, err := pkcs7.DegenerateCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	client := newClient(t, responder.Config{})
	real := httptest.NewServer(ca.Responder(testca.ResponderOptions{}))
	t.Cleanup(real.Close)
	urls := map[string]string{"testca": real.URL + "/ca.crt"}
	for name, body := range map[string][]byte{
		"DER": der, "PEM": pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), "PKCS #7": p7,
	} {
		s, _ := serve(t, page(200, "text/plain", string(body)))
		urls[name] = s.URL
	}
	for name, u := range urls {
		certs, err := client.Issuer(t.Context(), responder.IssuerRequest{URL: u, Guard: own()})
		if err != nil || len(certs) != 1 || !certs[0].Equal(ca.Certificate()) {
			t.Errorf("%s: %d certificates, %v", name, len(certs), err)
		}
	}
}

func TestIssuersThatAreNone(t *testing.T) {
	client := newClient(t, responder.Config{})
	for _, c := range []struct {
		status int
		body   string
		reason responder.Reason
	}{
		{200, "", responder.Empty},
		{200, "<html>", responder.NotCertificate},
		{404, "<html>", responder.HTTPStatus},
		{200, string(make([]byte, responder.MaxIssuer+1)), responder.TooLarge},
	} {
		s, n := serve(t, page(c.status, "text/html", c.body))
		_, err := client.Issuer(t.Context(), responder.IssuerRequest{URL: s.URL, Guard: own()})
		failure(t, err, c.reason)
		if n.String() != "GET" {
			t.Errorf("%s: requests %s", c.reason, n)
		}
		// Without a word for it, loopback is out of reach here, too.
		_, err = client.Issuer(t.Context(), responder.IssuerRequest{URL: s.URL})
		failure(t, err, responder.AddressForbidden)
	}
	_, err := client.Issuer(t.Context(), responder.IssuerRequest{URL: "ldap:///cn=ca"})
	failure(t, err, responder.BadURL)
}

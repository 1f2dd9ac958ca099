package testca

import (
	"crypto"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"math/big"
	"testing"
	"time"

	"golang.org/x/crypto/ocsp"
)

func respond(t *testing.T, c *CA, a Answer) []byte {
	t.Helper()
	der, err := c.Respond(a)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

func TestRespondSaysWhatItIsTold(t *testing.T) {
	t.Parallel()
	c, other := newCA(t, InitOptions{}), newCA(t, InitOptions{Name: "other"})
	day := time.Date(2026, 6, 7, 8, 9, 10, 0, time.UTC)
	extension := pkix.Extension{Id: asn1.ObjectIdentifier{1, 2, 3}, Value: []byte{5, 0}}
	der := respond(t, c, Answer{
		Status: ocsp.Revoked, Serial: big.NewInt(300), ThisUpdate: day, NextUpdate: day.Add(time.Hour), RevokedAt: day.AddDate(0, 0, -1),
		Reason: ocsp.Superseded, ProducedAt: day.Add(time.Minute), Hash: crypto.SHA256, SingleExtensions: []pkix.Extension{extension},
		Extensions: []pkix.Extension{extension},
	})
	r, err := ocsp.ParseResponse(der, c.Certificate())
	if err != nil {
		t.Fatal(err)
	}
	if r.Status != ocsp.Revoked || r.SerialNumber.Int64() != 300 || r.RevocationReason != ocsp.Superseded || r.IssuerHash != crypto.SHA256 {
		t.Errorf("status %d, serial %v, reason %d, hash %v", r.Status, r.SerialNumber, r.RevocationReason, r.IssuerHash)
	}
	if !r.ThisUpdate.Equal(day) || !r.NextUpdate.Equal(day.Add(time.Hour)) || !r.RevokedAt.Equal(day.AddDate(0, 0, -1)) || !r.ProducedAt.Equal(day.Add(time.Minute)) {
		t.Errorf("times %v, %v, %v, %v", r.ThisUpdate, r.NextUpdate, r.RevokedAt, r.ProducedAt)
	}
	if len(r.Extensions) != 1 || !r.Extensions[0].Id.Equal(extension.Id) || r.Certificate != nil {
		t.Errorf("extensions %v, certificate %v", r.Extensions, r.Certificate)
	}

	der = respond(t, c, Answer{Status: ocsp.Unknown, Serial: big.NewInt(1), Signer: other.Key(), SignerCert: other.Certificate(), ByKey: true})
	if r, err = ocsp.ParseResponse(der, nil); err != nil {
		t.Fatal(err)
	}
	if r.Status != ocsp.Unknown || !r.NextUpdate.IsZero() || r.RawResponderName != nil || len(r.ResponderKeyHash) != 20 || !r.Certificate.Equal(other.Certificate()) {
		t.Errorf("status %d, nextUpdate %v, responder %x %x", r.Status, r.NextUpdate, r.RawResponderName, r.ResponderKeyHash)
	}
	if _, err = ocsp.ParseResponse(der, c.Certificate()); err == nil {
		t.Error("a stranger's answer passed for the CA's")
	}
}

// TestRespondFaults looks at what x/crypto/ocsp can tell of an answer that is not
// as it should be.
func TestRespondFaults(t *testing.T) {
	t.Parallel()
	c := newCA(t, InitOptions{})
	leaf := issue(t, c, IssueOptions{}, "www.example.com").Leaf
	serial := leaf.SerialNumber
	bad := respond(t, c, Answer{Serial: serial, BadSignature: true})
	if _, err := ocsp.ParseResponse(bad, c.Certificate()); err == nil {
		t.Error("the signature is good")
	}
	two := respond(t, c, Answer{Serial: serial, More: []Answer{{Serial: serial, Status: ocsp.Revoked}}})
	if _, err := ocsp.ParseResponse(two, c.Certificate()); err == nil {
		t.Error("there is one single response")
	}
	none := respond(t, c, Answer{Serial: serial, SignerCert: leaf, Certificates: []*x509.Certificate{}})
	if r, err := ocsp.ParseResponse(none, c.Certificate()); err != nil || r.Certificate != nil || string(r.RawResponderName) != string(leaf.RawSubject) {
		t.Errorf("%v: embedded %v", err, r)
	}
	rsa := newCA(t, InitOptions{Key: RSA}) // its signatures are all of one length
	with := respond(t, rsa, Answer{Serial: serial})
	without := respond(t, rsa, Answer{Serial: serial, NoHashParameters: true})
	if len(with) != len(without)+2 {
		t.Errorf("%d bytes with parameters, %d without", len(with), len(without))
	}
	critical := respond(t, c, Answer{Serial: serial, SingleExtensions: []pkix.Extension{{Id: asn1.ObjectIdentifier{1, 2}, Critical: true, Value: []byte{5, 0}}}})
	if _, err := ocsp.ParseResponse(critical, c.Certificate()); err == nil {
		t.Error("the extension is not critical")
	}
}

func TestRespondRefuses(t *testing.T) {
	t.Parallel()
	c := newCA(t, InitOptions{})
	_, err := c.Respond(Answer{})
	wantError(t, err, "serial number")
	_, err = c.Respond(Answer{Serial: big.NewInt(1), Status: 3})
	wantError(t, err, "status 3")
	_, err = c.Respond(Answer{Serial: big.NewInt(1), Hash: crypto.MD5})
	wantError(t, err, "MD5")
	_, err = c.Respond(Answer{Serial: big.NewInt(1), SignatureAlgorithm: x509.SHA256WithRSA})
	wantError(t, err, "cannot sign with SHA256-RSA")
	_, err = c.Respond(Answer{Serial: big.NewInt(1), SignatureAlgorithm: x509.MD5WithRSA})
	wantError(t, err, "not supported")
}

func TestErrorResponse(t *testing.T) {
	t.Parallel()
	for _, status := range []ocsp.ResponseStatus{ocsp.Malformed, ocsp.InternalError, ocsp.TryLater, ocsp.SignatureRequired, ocsp.Unauthorized} {
		_, err := ocsp.ParseResponse(ErrorResponse(status), nil)
		if e, ok := err.(ocsp.ResponseError); !ok || e.Status != status {
			t.Errorf("%v, want %v", err, status)
		}
	}
}

package plugin

import (
	"bytes"
	"crypto/x509"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/consul-ocsp/consul-ocsp/plugin/staple"
	"github.com/consul-ocsp/consul-ocsp/plugin/testca"
)

// A lean leaf is asked for and verified by exactly as the one that it was made
// from, and shares its issuer with others.
func TestLeanLeaf(t *testing.T) {
	ca, err := testca.Init(t.TempDir(), testca.InitOptions{})
	if err != nil {
		t.Fatal(err)
	}
	issued, err := ca.Issue([]string{"www.example.com"}, testca.IssueOptions{Responders: []string{"http://ocsp.example.com"}})
	if err != nil {
		t.Fatal(err)
	}
	again, err := x509.ParseCertificate(bytes.Clone(ca.Certificate().Raw))
	if err != nil {
		t.Fatal(err)
	}
	var s shared
	issuer := s.one(ca.Certificate())
	if s.one(again) != issuer {
		t.Error("the issuer is held twice")
	}
	lean := s.lean(issued.Leaf, issuer)
	if staple.ID(lean) != staple.ID(issued.Leaf) || lean.Issuer.String() != issued.Leaf.Issuer.String() ||
		!lean.NotBefore.Equal(issued.Leaf.NotBefore) || !lean.NotAfter.Equal(issued.Leaf.NotAfter) {
		t.Errorf("the lean leaf differs: %+v", lean)
	}
	if err := staple.CheckIssuer(lean, issuer); err != nil {
		t.Error(err)
	}
	request, err := staple.NewRequest(lean, issuer)
	if err != nil {
		t.Fatal(err)
	}
	if plain, err := staple.NewRequest(issued.Leaf, issuer); err != nil || !bytes.Equal(plain, request) {
		t.Errorf("the request differs: %v", err)
	}
	answer := httptest.NewRecorder()
	asked := httptest.NewRequest(http.MethodPost, "/", bytes.NewReader(request))
	asked.Header.Set("Content-Type", "application/ocsp-request")
	ca.Responder(testca.ResponderOptions{}).ServeHTTP(answer, asked)
	facts, err := staple.Verify(answer.Body.Bytes(), lean, issuer, staple.Options{Now: time.Now()})
	if err != nil || facts.Status != staple.Good {
		t.Errorf("%+v, %v", facts, err)
	}
}

// What nodes announce does not make the memory of what is shared grow.
func TestSharedIsBounded(t *testing.T) {
	var s shared
	for i := range 3 * maxShared {
		s.one(&x509.Certificate{Raw: []byte{byte(i), byte(i >> 8)}})
		s.urls([]string{string(rune('a' + i))})
	}
	if len(s.issuers) > maxShared || len(s.responders) > maxShared {
		t.Errorf("%d issuers, %d responders", len(s.issuers), len(s.responders))
	}
}

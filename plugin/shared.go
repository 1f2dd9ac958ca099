package plugin

import (
	"crypto/x509"
	"slices"
	"strings"
)

// shared has announced certificates share what they have in common, and drops
// what nobody asks of them: there may be very many, and a parsed certificate
// takes several times the memory of its bytes. The zero value is ready; it is
// for one goroutine at a time.
type shared struct {
	issuers    map[string]*x509.Certificate // by their DER
	responders map[string][]string          // by themselves, a line each
}

// maxShared bounds what is remembered, whatever nodes announce.
const maxShared = 256

// one is the issuer that was given before with these bytes, else c.
func (s *shared) one(c *x509.Certificate) *x509.Certificate {
	if known := s.issuers[string(c.Raw)]; known != nil {
		return known
	}
	if s.issuers == nil || len(s.issuers) >= maxShared {
		s.issuers = make(map[string]*x509.Certificate)
	}
	s.issuers[string(c.Raw)] = c
	return c
}

// lean is a leaf with its DER and those of the parsed fields by which it is
// fetched and its responses are verified. The issuer must be its issuer, whose
// subject it then has as its issuer's name.
func (s *shared) lean(leaf, issuer *x509.Certificate) *x509.Certificate {
	return &x509.Certificate{
		Raw: leaf.Raw, RawTBSCertificate: leaf.RawTBSCertificate, RawIssuer: leaf.RawIssuer, RawSubject: leaf.RawSubject,
		Signature: leaf.Signature, SignatureAlgorithm: leaf.SignatureAlgorithm,
		Issuer: issuer.Subject, SerialNumber: leaf.SerialNumber,
		NotBefore: leaf.NotBefore, NotAfter: leaf.NotAfter, OCSPServer: s.urls(leaf.OCSPServer),
	}
}

// urls are responders, in the copy that other certificates have already.
func (s *shared) urls(urls []string) []string {
	key := strings.Join(urls, "\n")
	if known, ok := s.responders[key]; ok && slices.Equal(known, urls) {
		return known
	}
	if s.responders == nil || len(s.responders) >= maxShared {
		s.responders = make(map[string][]string)
	}
	s.responders[key] = urls
	return urls
}

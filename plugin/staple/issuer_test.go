package staple

import (
	"crypto/rsa"
	"crypto/x509"
	"slices"
	"testing"
)

func TestFindIssuerAmongCandidatesOfOneName(t *testing.T) {
	s := newScene(t, "ecdsa")
	sameNameOtherKey := certify(t, nil, newKey(t, "ecdsa"), "Test CA", asCA)
	sameKeyOtherName := certify(t, nil, s.issuer.key, "Renamed CA", asCA)
	renewed := certify(t, nil, s.issuer.key, "Test CA", func(c *x509.Certificate) { asCA(c); c.NotAfter = epoch.AddDate(9, 0, 0) })
	noCA := certify(t, nil, s.issuer.key, "Test CA", func(c *x509.Certificate) { c.BasicConstraintsValid = true; c.NotAfter = epoch.AddDate(20, 0, 0) })
	for _, c := range []struct {
		name       string
		candidates []*x509.Certificate
		want       *x509.Certificate
	}{
		{"none", nil, nil},
		{"wrong ones only", []*x509.Certificate{sameNameOtherKey.cert, sameKeyOtherName.cert, noCA.cert, s.leaf.cert, nil}, nil},
		{"behind one of the same name", []*x509.Certificate{sameNameOtherKey.cert, s.issuer.cert}, s.issuer.cert},
		{"before one of the same name", []*x509.Certificate{s.issuer.cert, sameNameOtherKey.cert}, s.issuer.cert},
		{"renewed with the same key", []*x509.Certificate{s.issuer.cert, renewed.cert}, renewed.cert},
	} {
		if got := FindIssuer(s.leaf.cert, c.candidates); got != c.want {
			t.Errorf("%s: got %v", c.name, got)
		}
		slices.Reverse(c.candidates)
		if got := FindIssuer(s.leaf.cert, c.candidates); got != c.want {
			t.Errorf("%s, reversed: got %v", c.name, got)
		}
	}
	if FindIssuer(nil, []*x509.Certificate{s.issuer.cert}) != nil {
		t.Error("an issuer for no leaf")
	}
}

func TestCheckIssuer(t *testing.T) {
	for _, kind := range []string{"ecdsa", "ecdsa384", "rsa", "ed25519"} {
		s := newScene(t, kind)
		if err := CheckIssuer(s.leaf.cert, s.issuer.cert); err != nil {
			t.Errorf("%s: %v", kind, err)
		}
	}
	self := certify(t, nil, newKey(t, "ecdsa"), "self-signed leaf", func(c *x509.Certificate) { c.BasicConstraintsValid = true })
	if err := CheckIssuer(self.cert, self.cert); err != nil {
		t.Errorf("self-signed: %v", err)
	}
	s := newScene(t, "rsa")
	if err := CheckIssuer(resignSHA1(t, s.leaf.cert, s.issuer.key.(*rsa.PrivateKey)), s.issuer.cert); err != nil {
		t.Errorf("SHA-1: %v", err)
	}
}

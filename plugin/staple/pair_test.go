package staple

import (
	"crypto/x509"
	"math/big"
	"testing"
	"time"
)

func TestPairProvesItsIssuer(t *testing.T) {
	s := newScene(t, "ecdsa")
	other := certify(t, nil, newKey(t, "ecdsa"), "Test CA", asCA) // the same name, another key
	a := s.answer()
	a.issuer, a.signer = other, other
	forged := a.der(t)
	bad := NewPair(s.leaf.cert, other.cert)
	for range 3 { // a failed proof never counts as one that was made
		if _, err := bad.Verify(forged, Options{Now: epoch}); ReasonOf(err) != WrongIssuer {
			t.Fatalf("an answer of a CA that did not sign the leaf: %v", err)
		}
	}
	pair := NewPair(s.leaf.cert, s.issuer.cert)
	for range 3 {
		if _, err := pair.Verify(s.answer().der(t), Options{Now: epoch}); err != nil {
			t.Fatal(err)
		}
		if _, err := pair.Verify(forged, Options{Now: epoch}); err == nil {
			t.Fatal("once proven, anything passes")
		}
	}
	for name, p := range map[string]*Pair{"nil": nil, "empty": {}, "no issuer": NewPair(s.leaf.cert, nil), "no leaf": NewPair(nil, s.issuer.cert)} {
		if _, err := p.Verify(s.answer().der(t), Options{Now: epoch}); ReasonOf(err) != WrongIssuer {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A proof goes with the certificates, not with their names.
func TestPairOnOtherMemory(t *testing.T) {
	s := newScene(t, "ecdsa")
	other := certify(t, nil, newKey(t, "ecdsa"), "Test CA", asCA)
	proven, err := Prove(s.leaf.cert, s.issuer.cert)
	if err != nil {
		t.Fatal(err)
	}
	if p, err := Prove(s.leaf.cert, other.cert); err == nil || p != nil {
		t.Errorf("proven with another key: %v", p)
	}
	leaf := *s.leaf.cert
	bare := &x509.Certificate{RawIssuer: leaf.RawIssuer}
	for name, c := range map[string]struct {
		pair *Pair
		want bool
	}{
		"the same":            {proven.On(s.leaf.cert, s.issuer.cert), true},
		"a copy":              {proven.On(&leaf, s.issuer.cert), true},
		"of what is unproven": {NewPair(s.leaf.cert, s.issuer.cert).On(&leaf, s.issuer.cert), false},
		"another issuer":      {proven.On(s.leaf.cert, other.cert), false},
		"another leaf":        {proven.On(other.cert, s.issuer.cert), false},
		"no issuer":           {proven.On(s.leaf.cert, nil), false},
		"nothing before":      {(*Pair)(nil).On(s.leaf.cert, s.issuer.cert), false},
		"nothing but names":   {(&Pair{leaf: bare, issuer: bare}).On(&x509.Certificate{}, bare), false},
	} {
		if c.pair.proven.Load() != c.want {
			t.Errorf("%s: proven %v", name, !c.want)
		}
	}
}

// What is remembered of a delegate is who signed it: neither its dates nor that another CA trusts it.
func TestKnownDelegateIsJudgedAnew(t *testing.T) {
	s := newScene(t, "rsa")
	a := s.answer()
	a.signer, a.certs = s.delegate, [][]byte{s.delegate.cert.Raw}
	der := a.der(t)
	for range 2 {
		if f, err := s.verify(der, Options{}); err != nil || !f.Delegated {
			t.Fatal(err)
		}
	}
	late := a
	end := s.delegate.cert.NotAfter.Add(time.Second)
	late.producedAt, late.singles = moment(end), []single{{thisUpdate: end}}
	if _, err := s.verify(late.der(t), Options{Now: end}); ReasonOf(err) != SignerDates {
		t.Errorf("a known delegate after its end: %v", err)
	}

	// Another CA of the same name, with a leaf of the same serial number: its key did not certify the delegate.
	other := scene{issuer: certify(t, nil, newKey(t, "rsa"), "Test CA", asCA), delegate: s.delegate}
	other.leaf = certify(t, other.issuer, newKey(t, "ecdsa"), "www.example.com", func(*x509.Certificate) {})
	b := other.answer()
	b.signer, b.certs = s.delegate, [][]byte{s.delegate.cert.Raw}
	for range 2 {
		if _, err := other.verify(b.der(t), Options{}); ReasonOf(err) != WrongSigner {
			t.Errorf("the delegate of another CA: %v", err)
		}
	}

	// SHA-1 in its certificate is known, too, and judged by each call's options.
	weak := resignSHA1(t, s.delegate.cert, s.issuer.key)
	c := s.answer()
	c.signer, c.certs = &party{weak, s.delegate.key}, [][]byte{weak.Raw}
	for _, allowed := range []bool{true, false, true} {
		if _, err := s.verify(c.der(t), Options{AllowSHA1Signatures: allowed}); (err == nil) != allowed {
			t.Errorf("SHA-1 allowed %v: %v", allowed, err)
		}
	}
}

// openssl does not take a delegate whose authorityKeyIdentifier is not the issuer's subjectKeyIdentifier.
func TestDelegateNamesTheIssuersKey(t *testing.T) {
	s := newScene(t, "ecdsa")
	s.issuer = certify(t, nil, s.issuer.key, "Test CA", func(c *x509.Certificate) { asCA(c); c.SubjectKeyId = []byte{1, 2, 3} })
	for id, want := range map[string]Reason{"\x01\x02\x03": "", "\x01\x02\x04": WrongSigner} {
		as := &party{cert: &x509.Certificate{Subject: s.issuer.cert.Subject, RawSubject: s.issuer.cert.RawSubject, SubjectKeyId: []byte(id), PublicKey: s.issuer.cert.PublicKey}, key: s.issuer.key}
		d := certify(t, as, s.delegate.key, "Delegate", asDelegate)
		a := s.answer()
		a.signer, a.certs = d, [][]byte{d.cert.Raw}
		if _, err := s.verify(a.der(t), Options{}); ReasonOf(err) != want {
			t.Errorf("% x: %v", id, err)
		}
	}
}

// Only a responder that the operator trusts may answer for several issuers at once.
func TestEntryOfAnotherIssuer(t *testing.T) {
	s, other := newScene(t, "ecdsa"), newScene(t, "ecdsa")
	for name, signer := range map[string]*party{"issuer": s.issuer, "delegate": s.delegate} {
		a := s.answer()
		a.signer, a.certs = signer, [][]byte{signer.cert.Raw}
		a.singles = []single{{}, {issuer: other.issuer.cert, serial: big.NewInt(1)}}
		if _, err := s.verify(a.der(t), Options{}); ReasonOf(err) != IssuerHash {
			t.Errorf("%s: %v", name, err)
		}
	}
	stranger := certify(t, nil, newKey(t, "ecdsa"), "Stranger", nil)
	a := s.answer()
	a.signer, a.singles = stranger, []single{{}, {issuer: other.issuer.cert, serial: big.NewInt(1)}}
	if _, err := s.verify(a.der(t), Options{TrustedResponders: []*x509.Certificate{stranger.cert}}); err != nil {
		t.Errorf("trusted responder: %v", err)
	}
}

func TestKnownDelegatesAreBounded(t *testing.T) {
	issuer := certify(t, nil, newKey(t, "ecdsa"), "Test CA", asCA)
	key := newKey(t, "ecdsa")
	memo := delegateMemo{known: map[[32]byte]signedDelegate{}}
	for range 2 * maxDelegates {
		if _, err := memo.signedBy(certify(t, issuer, key, "Delegate", asDelegate).cert, issuer.cert); err != nil {
			t.Fatal(err)
		}
	}
	stranger := certify(t, nil, newKey(t, "ecdsa"), "Stranger", asCA)
	if _, err := memo.signedBy(stranger.cert, issuer.cert); err == nil || len(memo.known) != maxDelegates {
		t.Errorf("%v, %d known", err, len(memo.known))
	}
}

// What is kept of a certificate and its issuer is read as written, and as nothing else.
func TestPairInPEM(t *testing.T) {
	s := newScene(t, "ecdsa")
	other := certify(t, nil, newKey(t, "ecdsa"), "Test CA", asCA) // the same name, another key
	leaf, issuer, id := s.leaf.cert.Raw, s.issuer.cert.Raw, ID(s.leaf.cert)
	pair, err := ParsePair(PairPEM(leaf, issuer), id)
	if err != nil || !pair.Leaf().Equal(s.leaf.cert) {
		t.Fatal(err)
	}
	for name, text := range map[string][]byte{
		"nothing": nil, "another issuer": PairPEM(leaf, other.cert.Raw), "the other way round": PairPEM(issuer, leaf),
		"three": append(PairPEM(leaf, issuer), PairPEM(leaf, issuer)...), "no certificate": PairPEM(leaf, []byte("x")),
	} {
		if _, err := ParsePair(text, id); err == nil {
			t.Errorf("%s is taken for a pair", name)
		}
	}
}

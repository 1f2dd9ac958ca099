package staple

import (
	"bytes"
	"testing"
	"time"
)

// A brief asks for the same, and judges as its certificate does; there is none
// of a certificate whose issuer is another.
func TestBrief(t *testing.T) {
	s := newScene(t, "ecdsa")
	other := certify(t, nil, newKey(t, "ecdsa"), "Test CA", asCA)
	if _, err := NewPair(s.leaf.cert, other.cert).Brief(); err == nil {
		t.Error("a brief of what the issuer did not sign")
	}
	whole := NewPair(s.leaf.cert, s.issuer.cert)
	brief, err := whole.Brief()
	if err != nil {
		t.Fatal(err)
	}
	if brief.Issuer() != s.issuer.cert || !brief.NotBefore().Equal(s.leaf.cert.NotBefore) || !brief.NotAfter().Equal(s.leaf.cert.NotAfter) {
		t.Errorf("%+v", brief)
	}
	want, err := NewRequest(s.leaf.cert, s.issuer.cert)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := brief.Request(); err != nil || !bytes.Equal(got, want) {
		t.Errorf("it asks otherwise: %x, %v", got, err)
	}
	der := s.answer().der(t)
	for name, at := range map[string]time.Time{"now": epoch, "later than the response": epoch.AddDate(0, 2, 0), "later than the certificate": s.leaf.cert.NotAfter.Add(time.Hour)} {
		a, errA := whole.Verify(der, Options{Now: at})
		b, errB := brief.Pair().Verify(der, Options{Now: at})
		if ReasonOf(errA) != ReasonOf(errB) || (a == nil) != (b == nil) || a != nil && !a.Until.Equal(b.Until) {
			t.Errorf("%s: %v, %v and %v, %v", name, a, errA, b, errB)
		}
	}
}

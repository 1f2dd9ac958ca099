package staple

import (
	"testing"
	"time"
)

// A response that has ended long ago verifies for the time at which it was
// signed, whatever the clock says, and one that never was right does not.
func TestVerifyAsSigned(t *testing.T) {
	s := newScene(t, "ecdsa")
	o := Options{Now: epoch.AddDate(5, 0, 0), AsSigned: true}
	a := s.answer()
	der := a.der(t)
	f, err := s.verify(der, o)
	if err != nil || !f.ProducedAt.Equal(epoch.Add(-time.Hour)) {
		t.Fatalf("%+v, %v", f, err)
	}
	if _, err := s.verify(der, Options{Now: o.Now}); ReasonOf(err) != Expired {
		t.Errorf("five years on: %v", err)
	}
	damaged := append([]byte(nil), der...)
	damaged[len(damaged)-5] ^= 1
	if _, err := s.verify(damaged, o); err == nil {
		t.Error("a damaged response verifies")
	}
	for name, c := range map[string]struct {
		produced, this time.Time
		want           Reason
	}{
		"made before it counts":     {epoch.Add(-2 * time.Hour), epoch, ""},
		"made after its end":        {epoch.Add(48 * time.Hour), epoch, Expired},
		"made after the leaf's end": {s.leaf.cert.NotAfter.Add(time.Hour), s.leaf.cert.NotAfter.Add(-time.Hour), CertificateExpired},
	} {
		a := s.answer()
		a.producedAt, a.singles = moment(c.produced), []single{{thisUpdate: c.this}}
		if _, err := s.verify(a.der(t), o); ReasonOf(err) != c.want {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
}

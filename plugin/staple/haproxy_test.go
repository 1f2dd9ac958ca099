package staple

import (
	"crypto/x509"
	"math/big"
	"reflect"
	"testing"
	"time"
)

func TestUnstaplableByHAProxy(t *testing.T) {
	s := newScene(t, "ecdsa")
	big120 := new(big.Int).Lsh(big.NewInt(1), 8*120)
	filler := func(n int) [][]byte { return [][]byte{extensionDER(false, make([]byte, n), 1, 2, 3)} }
	for _, c := range []struct {
		name   string
		change func(*answer)
		want   []Reason
	}{
		{"plain", func(*answer) {}, nil},
		{"revoked is stapled", func(a *answer) { a.singles = []single{{status: statusRevoked(epoch, 0)}} }, nil},
		{"no nextUpdate", func(a *answer) { a.singles = []single{{nextUpdate: []byte{}}} }, []Reason{NoNextUpdate}},
		{"another certificate besides", func(a *answer) { a.singles = []single{{}, {serial: big.NewInt(1)}} }, []Reason{MultipleResponses}},
		{"SHA-256 CertID", func(a *answer) { a.singles = []single{{hash: hashSHA256}} }, []Reason{CertIDNotSHA1}},
		{"SHA-1 CertID without NULL", func(a *answer) { a.singles = []single{{hash: hashSHA1NoNull}} }, []Reason{CertIDParameters}},
		{"unknown", func(a *answer) { a.singles = []single{{status: statusUnknown}} }, []Reason{StatusUnknown}},
		{"five minutes of life", func(a *answer) {
			a.singles = []single{{thisUpdate: epoch, nextUpdate: tagged(0, moment(epoch.Add(5*time.Minute)))}}
		}, []Reason{ShortLived}},
		{"fits a file but no command", func(a *answer) { a.extensions = filler(12000) }, nil},
		{"fits no file", func(a *answer) { a.extensions = filler(17000) }, []Reason{TooLarge}},
		{"two things at once", func(a *answer) { a.singles = []single{{hash: hashSHA256, nextUpdate: []byte{}}} }, []Reason{NoNextUpdate, CertIDNotSHA1}},
	} {
		t.Run(c.name, func(t *testing.T) {
			a := s.answer()
			c.change(&a)
			f, err := s.verify(a.der(t), Options{})
			if err != nil || !reflect.DeepEqual(f.Unstaplable, c.want) {
				t.Fatalf("unstaplable %v, want %v (%v)", f, c.want, err)
			}
			if err := f.FitsHAProxy(epoch); len(c.want) > 0 && ReasonOf(err) != c.want[0] {
				t.Errorf("fits: %v, want %v", err, c.want)
			}
		})
	}
	t.Run("CertID of more than 128 bytes", func(t *testing.T) {
		long := s
		long.leaf = certify(t, s.issuer, newKey(t, "ecdsa"), "long", func(c *x509.Certificate) { c.SerialNumber = big120 })
		f, err := long.verify(long.answer().der(t), Options{})
		if err != nil || !reflect.DeepEqual(f.Unstaplable, []Reason{CertIDTooLong}) {
			t.Errorf("%v, %v", f, err)
		}
	})
}

func TestFitsHAProxyNow(t *testing.T) {
	f := &Facts{NextUpdate: epoch.Add(time.Hour), DER: make([]byte, MaxHAProxyPush)}
	for _, c := range []struct {
		name string
		now  time.Time
		size int
		want Reason
	}{
		{"an hour left", epoch, MaxHAProxyPush, ""},
		{"ten minutes left", epoch.Add(50 * time.Minute), 100, ""},
		{"less than ten minutes left", epoch.Add(50*time.Minute + time.Second), 100, ShortLived},
		{"past", epoch.Add(2 * time.Hour), 100, ShortLived},
		{"one byte too much", epoch, MaxHAProxyPush + 1, TooLarge},
	} {
		f.DER = make([]byte, c.size)
		err := f.FitsHAProxy(c.now)
		if ReasonOf(err) != c.want || (c.want == "") != (err == nil) {
			t.Errorf("%s: %v, want %q", c.name, err, c.want)
		}
	}
}

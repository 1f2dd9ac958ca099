package staple

import (
	"fmt"
	"math/big"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/crypto/cryptobyte"
)

// A judgement's memory serves the next one. What it said of a response must not change by what it says of another.
func TestVerificationsShareNothing(t *testing.T) {
	s := newScene(t, "ecdsa")
	pair := NewPair(s.leaf.cert, s.issuer.cert)
	change := []func(*answer){
		func(*answer) {},
		func(a *answer) { a.singles = []single{{status: statusRevoked(epoch.Add(-time.Hour), 1)}} },
		func(a *answer) { a.singles = []single{{}, {status: statusRevoked(epoch.Add(-time.Hour), 4)}} },
		func(a *answer) { a.singles = []single{{nextUpdate: []byte{}}} },
		func(a *answer) { a.signer, a.certs = s.delegate, [][]byte{s.delegate.cert.Raw, s.issuer.cert.Raw} },
		func(a *answer) { a.singles = []single{{serial: big.NewInt(7)}} },
		func(a *answer) { a.signature = []byte("no signature") },
		func(a *answer) { a.after = null() },
	}
	say := func(f *Facts, err error) string {
		if err != nil {
			return err.Error()
		}
		return fmt.Sprint(f.SHA256(), f.Serial(), f.Status, f.ThisUpdate, f.NextUpdate, f.RevokedAt, f.RevocationReason, f.Signer.Subject,
			f.Delegated, f.SignatureAlgorithm, f.Until, f.Unstaplable, f.Warnings)
	}
	ders, want := make([][]byte, len(change)), make([]string, len(change))
	for i, c := range change {
		a := s.answer()
		c(&a)
		ders[i] = a.der(t)
		want[i] = say(Verify(ders[i], s.leaf.cert, s.issuer.cert, Options{Now: epoch}))
	}
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			facts, errs := make([]*Facts, 8*len(change)), make([]error, 8*len(change))
			for n := range facts {
				facts[n], errs[n] = pair.Verify(ders[n%len(ders)], Options{Now: epoch})
				_ = Explain(ders[(n+1)%len(ders)], s.leaf.cert, s.issuer.cert, Options{Now: epoch})
			}
			for n := range facts {
				if d := cmp.Diff(want[n%len(want)], say(facts[n], errs[n])); d != "" {
					t.Errorf("response %d: %s", n%len(want), d)
				}
			}
		})
	}
	wg.Wait()
}

func TestIsNumber(t *testing.T) {
	numbers := []*big.Int{new(big.Int)}
	for bits := range uint(300) {
		power := new(big.Int).Lsh(big.NewInt(1), bits)
		for _, by := range []int64{-1, 0, 1} {
			n := new(big.Int).Add(power, big.NewInt(by))
			numbers = append(numbers, n, new(big.Int).Neg(n))
		}
	}
	for i, n := range numbers {
		var b cryptobyte.Builder
		b.AddASN1BigInt(n)
		content := newInput(b.BytesOrPanic(), "number").number("number")
		if !isNumber(content, n) || bigNumber(content).Cmp(n) != 0 {
			t.Errorf("%v is not itself", n)
		}
		if other := numbers[(i+1)%len(numbers)]; isNumber(content, other) != (n.Cmp(other) == 0) {
			t.Errorf("%v and %v", n, other)
		}
	}
}

package staple

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"fmt"
	"slices"
	"testing"
	"time"
)

// Verify stands beside the least that any verifier must do: one check of one signature by the standard library. The
// two take turns, so that a busy machine slows both; x-bare is the ratio of their medians, x-allocs that of their
// allocations.
func BenchmarkVerify(b *testing.B) {
	for _, key := range []string{"rsa", "ecdsa"} {
		s := newScene(b, key)
		direct, embedded, delegated := s.answer(), s.answer(), s.answer()
		embedded.certs = [][]byte{s.issuer.cert.Raw}
		delegated.signer, delegated.certs = s.delegate, [][]byte{s.delegate.cert.Raw}
		for _, c := range []struct {
			name   string
			a      answer
			signer *x509.Certificate
		}{{"issuer signs", direct, s.issuer.cert}, {"issuer embedded", embedded, s.issuer.cert}, {"delegate signs", delegated, s.delegate.cert}} {
			pair, der := NewPair(s.leaf.cert, s.issuer.cert), c.a.der(b)
			verify := func() error {
				_, err := pair.Verify(der, Options{Now: epoch})
				return err
			}
			b.Run(fmt.Sprintf("%s/%s", map[string]string{"rsa": "RSA-2048", "ecdsa": "P-256"}[key], c.name), func(b *testing.B) {
				beside(b, verify, bareCheck(b, der, c.signer))
			})
		}
	}
}

// bareCheck is the check of a response's signature alone.
func bareCheck(b *testing.B, der []byte, signer *x509.Certificate) func() error {
	b.Helper()
	var r response
	if err := r.read(der); err != nil {
		b.Fatal(err)
	}
	return func() error {
		digest := sha256.Sum256(r.tbs)
		switch key := signer.PublicKey.(type) {
		case *rsa.PublicKey:
			return rsa.VerifyPKCS1v15(key, crypto.SHA256, digest[:], r.signature)
		case *ecdsa.PublicKey:
			if ecdsa.VerifyASN1(key, digest[:], r.signature) {
				return nil
			}
		}
		return fmt.Errorf("not signed by %q", signer.Subject)
	}
}

// beside measures work and, in turns with it, bare.
func beside(b *testing.B, work, bare func() error) {
	const turn = 50 // runs, so that reading the clock does not count
	timed := func(f func() error) float64 {
		start := time.Now()
		for range turn {
			if err := f(); err != nil {
				b.Fatal(err)
			}
		}
		return float64(time.Since(start).Nanoseconds()) / turn
	}
	var worked, bared []float64
	for b.Loop() {
		worked, bared = append(worked, timed(work)), append(bared, timed(bare))
	}
	median := func(list []float64) float64 {
		slices.Sort(list)
		return list[len(list)/2]
	}
	allocs := func(f func() error) float64 { return testing.AllocsPerRun(100, func() { _ = f() }) }
	b.ReportMetric(0, "ns/op") // of a turn of both
	b.ReportMetric(median(worked), "ns/verify")
	b.ReportMetric(median(bared), "ns/bare")
	b.ReportMetric(median(worked)/median(bared), "x-bare")
	b.ReportMetric(allocs(work), "allocs/verify")
	b.ReportMetric(allocs(bare), "allocs/bare")
	b.ReportMetric(allocs(work)/allocs(bare), "x-allocs")
}

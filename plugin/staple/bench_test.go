package staple

import "testing"

// Beside each Verify stands the bare check of the response's signature, the least that any verifier must do. Verify
// checks two: that of the leaf too, since only then the issuer is the leaf's issuer.
func BenchmarkVerify(b *testing.B) {
	for name, kind := range map[string]string{"P-256": "ecdsa", "RSA-2048": "rsa"} {
		s := newScene(b, kind)
		der := s.answer().der(b)
		b.Run(name+"/verify", func(b *testing.B) {
			for b.Loop() {
				if _, err := s.verify(der, Options{}); err != nil {
					b.Fatal(err)
				}
			}
		})
		r, err := readResponse(der)
		if err != nil {
			b.Fatal(err)
		}
		a, err := readAlgorithm(r.algorithm)
		if err != nil {
			b.Fatal(err)
		}
		b.Run(name+"/signature", func(b *testing.B) {
			for b.Loop() {
				if err := a.verify(s.issuer.cert, r.tbs, r.signature); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

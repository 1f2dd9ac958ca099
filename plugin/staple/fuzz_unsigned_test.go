package staple

import "testing"

// unsignedSeed is a stored response in the parts that no signature holds together.
type unsignedSeed struct {
	tbs                         []byte
	algorithm, signature, certs []byte
}

func unsignedSeeds(t testing.TB) []unsignedSeed {
	t.Helper()
	var seeds []unsignedSeed
	for _, name := range []string{"good.ocsp", "delegate.ocsp", "rsa-pss-delegate.ocsp"} {
		var r response
		if err := r.read(testdata(t, name)); err != nil {
			t.Fatal(err)
		}
		s := unsignedSeed{tbs: r.tbs, algorithm: r.algorithm, signature: r.signature}
		for _, c := range r.certs {
			s.certs = append(s.certs, c.Raw...)
		}
		seeds = append(seeds, s)
	}
	return seeds
}

// with puts the response together again, from other parts.
func (s unsignedSeed) with(algorithm, signature, certs []byte) []byte {
	parts := [][]byte{s.tbs, algorithm, bitString(signature)}
	if len(certs) > 0 {
		parts = append(parts, tagged(0, sequence(certs)))
	}
	return successful(sequence(parts...))
}

// FuzzUnsigned changes what anybody on the way can change without breaking the signature: how it is said to be made,
// its encoding, and the certificates beside it. What is accepted of that is what openssl verifies.
func FuzzUnsigned(f *testing.F) {
	seeds := unsignedSeeds(f)
	for i, s := range seeds {
		f.Add(byte(i), s.algorithm, s.signature, s.certs)
		f.Add(byte(i), sequence(s.algorithm[2:], null()), s.signature, append(s.certs[:len(s.certs):len(s.certs)], seeds[0].certs...))
		f.Add(byte(i), pssAlgorithm(20), append([]byte{0}, s.signature...), s.certs)
		f.Add(byte(i), pssAlgorithm(32), s.signature, seeds[1].certs)
	}
	leaf, issuer := fixedPair(f)
	dir := f.TempDir()
	pair := opensslPair(f, dir, leaf, issuer)
	f.Fuzz(func(t *testing.T, which byte, algorithm, signature, certs []byte) {
		der := seeds[int(which)%len(seeds)].with(algorithm, signature, certs)
		if facts, err := pair.Verify(der, Options{Now: fixedNow}); err == nil {
			agreesWithOpenssl(t, dir, der, facts)
		}
	})
}

// What is put together again unchanged is accepted, or the fuzz target would find nothing.
func TestUnsignedSeedsAreAccepted(t *testing.T) {
	leaf, issuer := fixedPair(t)
	for i, s := range unsignedSeeds(t) {
		if _, err := Verify(s.with(s.algorithm, s.signature, s.certs), leaf, issuer, Options{Now: fixedNow}); err != nil {
			t.Errorf("seed %d: %v", i, err)
		}
	}
}

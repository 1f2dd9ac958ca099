package staple

import (
	"bytes"
	"slices"
	"testing"
	"time"

	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"
)

func TestRefusesForm(t *testing.T) {
	change := func(f func(*answer)) func(*testing.T, scene) []byte {
		return func(t *testing.T, s scene) []byte {
			a := s.answer()
			f(&a)
			return a.der(t)
		}
	}
	produced := func(tag asn1.Tag, text string) func(*testing.T, scene) []byte {
		return change(func(a *answer) { a.producedAt = element(tag, []byte(text)) })
	}
	valid := func(t *testing.T, s scene) []byte { return s.answer().der(t) }
	checkRows(t, "ecdsa", []row{
		{name: "empty", want: Malformed, der: func(*testing.T, scene) []byte { return nil }},
		{name: "a page of HTML", want: Malformed, der: func(*testing.T, scene) []byte { return []byte("<html><body>Bad gateway</body></html>") }},
		{name: "the digit 0", want: Malformed, der: func(*testing.T, scene) []byte { return []byte("0") }},
		{name: "more than 64 KiB", want: Oversized, der: func(*testing.T, scene) []byte { return make([]byte, MaxResponse+1) }},
		{name: "trailing byte", want: Malformed, der: func(t *testing.T, s scene) []byte { return append(valid(t, s), 0) }},
		{name: "unsigned bytes after certs", want: Malformed, der: change(func(a *answer) {
			a.certs, a.after = [][]byte{a.issuer.cert.Raw}, null()
		})},
		{name: "unsigned element without certs", want: Malformed, der: change(func(a *answer) { a.after = null() })},
		{name: "certs that are no certificates", want: Malformed, der: change(func(a *answer) { a.certs = [][]byte{sequence(integer(1))} })},
		{name: "more than 16 certificates", want: Malformed, der: change(func(a *answer) {
			a.certs = slices.Repeat([][]byte{a.issuer.cert.Raw}, maxCertificates+1)
		})},
		{name: "more than 128 entries", want: Malformed, der: change(func(a *answer) { a.singles = make([]single, maxEntries+1) })},
		{name: "BER indefinite length", want: Malformed, der: func(t *testing.T, s scene) []byte {
			body := slices.Concat(enumerated(0), tagged(0, sequence(idBasic, octets(s.answer().basic(t)))))
			return slices.Concat([]byte{0x30, 0x80}, body, []byte{0, 0})
		}},
		{name: "BER long form of a length", want: Malformed, der: func(t *testing.T, s scene) []byte {
			body := slices.Concat(enumerated(0), tagged(0, sequence(idBasic, octets(s.answer().basic(t)))))
			return slices.Concat([]byte{0x30, 0x83, 0, byte(len(body) >> 8), byte(len(body))}, body)
		}},
		{name: "BER constructed octet string", want: Malformed, der: func(t *testing.T, s scene) []byte {
			inner := element(asn1.OCTET_STRING.Constructed(), octets(s.answer().basic(t)))
			return sequence(enumerated(0), tagged(0, sequence(idBasic, inner)))
		}},
		{name: "version 1 written out", want: Malformed, der: change(func(a *answer) { a.version = tagged(0, integer(0)) })},
		{name: "critical FALSE written out", want: Malformed, der: change(func(a *answer) {
			a.extensions = [][]byte{sequence(oid(1, 2, 3), []byte{1, 1, 0}, octets(null()))}
		})},
		{name: "critical TRUE as 1", want: Malformed, der: change(func(a *answer) {
			a.extensions = [][]byte{sequence(oid(1, 2, 3), []byte{1, 1, 1}, octets(null()))}
		})},
		{name: "the same extension twice", want: Malformed, der: change(func(a *answer) {
			a.extensions = slices.Repeat([][]byte{extensionDER(false, null(), 1, 2, 3)}, 2)
		})},
		{name: "an empty list of extensions", want: Malformed, der: change(func(a *answer) { a.extensions = [][]byte{} })},
		{name: "too many extensions", want: Malformed, der: change(func(a *answer) {
			for i := range maxExtensions + 1 {
				a.extensions = append(a.extensions, extensionDER(false, null(), 1, 2, i))
			}
		})},
		{name: "a short key hash", want: Malformed, der: change(func(a *answer) { a.responderID = tagged(2, octets(make([]byte, 19))) })},
		{name: "no ResponderID", want: Malformed, der: change(func(a *answer) { a.responderID = []byte{} })},
		{name: "status of another type", want: Malformed, der: change(func(a *answer) { a.singles = []single{{status: tagged(3)}} })},
		{name: "good with content", want: Malformed, der: change(func(a *answer) { a.singles = []single{{status: []byte{0x80, 1, 0}}} })},
		{name: "CertID hash with odd parameters", want: Malformed, der: change(func(a *answer) {
			a.singles = []single{{hash: sequence(oid(1, 3, 14, 3, 2, 26), integer(1))}}
		})},
		{name: "time with fractions", want: Malformed, der: produced(asn1.GeneralizedTime, "20260301110000.5Z")},
		{name: "time with an offset", want: Malformed, der: produced(asn1.GeneralizedTime, "20260301110000+0100")},
		{name: "time without a zone", want: Malformed, der: produced(asn1.GeneralizedTime, "20260301110000")},
		{name: "time without seconds", want: Malformed, der: produced(asn1.GeneralizedTime, "202603011100Z")},
		{name: "30th of February", want: Malformed, der: produced(asn1.GeneralizedTime, "20260230110000Z")},
		{name: "leap second", want: Malformed, der: produced(asn1.GeneralizedTime, "20261231235960Z")},
		{name: "UTCTime", want: Malformed, der: produced(asn1.UTCTime, "260301110000Z")},
	})
}

// grow adds a NULL to the end of one element after another, lengths put right, down to every depth, and hands the
// result to try. What is primitive but holds DER (the response's octet string) is descended into as well.
func grow(der []byte, try func(changed []byte)) {
	in := cryptobyte.String(der)
	var before []byte
	for !in.Empty() {
		var content cryptobyte.String
		var tag asn1.Tag
		start := in
		if !in.ReadAnyASN1(&content, &tag) {
			return
		}
		whole := start[:len(start)-len(in)]
		rest := slices.Clone(in)
		if holdsDER(tag, content) {
			wrap := func(changed []byte) { try(slices.Concat(before, element(tag, changed), rest)) }
			wrap(slices.Concat(content, null()))
			grow(content, wrap)
		}
		before = slices.Concat(before, whole)
	}
}

func holdsDER(tag asn1.Tag, content cryptobyte.String) bool {
	var inner cryptobyte.String
	return tag&0x20 != 0 || tag == asn1.OCTET_STRING && content.ReadASN1(&inner, asn1.SEQUENCE) && content.Empty()
}

func TestRefusesAnythingLeftOverAtAnyDepth(t *testing.T) {
	s := newScene(t, "ecdsa")
	a := s.answer()
	a.singles = []single{{status: statusRevoked(epoch.Add(-2*time.Hour), 1), extensions: [][]byte{extensionDER(false, null(), 1, 2, 3)}}}
	a.extensions = [][]byte{extensionDER(false, null(), 1, 2, 3)}
	der := a.der(t)
	if _, err := s.verify(der, Options{}); err != nil {
		t.Fatal(err)
	}
	n := 0
	grow(der, func(changed []byte) {
		n++
		if _, err := s.verify(changed, Options{}); ReasonOf(err) != Malformed && ReasonOf(err) != SignatureAlgorithm {
			t.Errorf("%x: got %v", changed, err)
		}
	})
	if n < 20 {
		t.Errorf("only %d places tried", n)
	}
}

func TestRefusesEveryTruncationAndEveryFlippedBit(t *testing.T) {
	for _, kind := range []string{"ecdsa", "rsa", "ed25519"} {
		s := newScene(t, kind)
		a := s.answer()
		a.signer, a.certs = s.delegate, [][]byte{s.delegate.cert.Raw}
		der := a.der(t)
		for i := range der {
			if _, err := s.verify(der[:i], Options{}); ReasonOf(err) != Malformed {
				t.Fatalf("%s: %d of %d bytes: got %v", kind, i, len(der), err)
			}
			changed := bytes.Clone(der)
			changed[i] ^= 1 << (i % 8)
			if _, err := s.verify(changed, Options{}); ReasonOf(err) == "" {
				t.Fatalf("%s: bit %d of byte %d flipped: got %v", kind, i%8, i, err)
			}
		}
	}
}

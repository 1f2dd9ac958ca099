package staple

import (
	"crypto/x509"
	"math/big"
	"testing"
	"time"
)

func TestRefusesAnotherCertificate(t *testing.T) {
	one := func(change func(scene) []single) func(*testing.T, scene) []byte {
		return func(t *testing.T, s scene) []byte {
			a := s.answer()
			a.singles = change(s)
			return a.der(t)
		}
	}
	other := newScene(t, "ecdsa")
	elsewhere := certify(t, nil, newKey(t, "ecdsa"), "Other CA", asCA)
	checkRows(t, "ecdsa", []row{
		{name: "other serial", want: WrongSerial, der: one(func(s scene) []single { return []single{{serial: big.NewInt(4711)}} })},
		{name: "negative serial", want: WrongSerial, der: one(func(s scene) []single {
			return []single{{serial: new(big.Int).Neg(s.leaf.cert.SerialNumber)}}
		})},
		{name: "no entry", want: WrongSerial, der: one(func(scene) []single { return []single{} })},
		{name: "other issuer's key hash", want: IssuerHash, der: one(func(scene) []single { return []single{{issuer: other.issuer.cert}} })},
		{name: "other issuer's name and key hash", want: IssuerHash, der: one(func(scene) []single { return []single{{issuer: elsewhere.cert}} })},
		{name: "other issuer's name hash, our key", want: IssuerHash, der: one(func(s scene) []single {
			return []single{{issuer: certify(t, nil, s.issuer.key, "Renamed CA", asCA).cert}}
		})},
		{name: "CertID of an unknown hash", want: IssuerHash, der: one(func(scene) []single { return []single{{hash: sequence(oid(1, 2, 3))}} })},
	})
}

func TestRefusesWrongIssuer(t *testing.T) {
	s, other := newScene(t, "ecdsa"), newScene(t, "ecdsa")
	der := s.answer().der(t)
	for name, issuer := range map[string]*x509.Certificate{"none": nil, "same name, other key": other.issuer.cert, "the leaf": s.leaf.cert} {
		if _, err := Verify(der, s.leaf.cert, issuer, Options{Now: epoch}); ReasonOf(err) != WrongIssuer {
			t.Errorf("%s: got %v", name, err)
		}
	}
	if _, err := Verify(der, nil, s.issuer.cert, Options{Now: epoch}); ReasonOf(err) != WrongIssuer {
		t.Errorf("no leaf: got %v", err)
	}
}

func TestRefusesTimes(t *testing.T) {
	at := func(this, next time.Duration) func(*testing.T, scene) []byte {
		return func(t *testing.T, s scene) []byte {
			a := s.answer()
			a.singles = []single{{thisUpdate: epoch.Add(this), nextUpdate: tagged(0, moment(epoch.Add(next)))}}
			return a.der(t)
		}
	}
	checkRows(t, "ecdsa", []row{
		{name: "nextUpdate before thisUpdate", want: UpdateOrder, der: at(time.Minute, -time.Minute)},
		{name: "nextUpdate at thisUpdate", want: UpdateOrder, der: at(0, 0)},
		{name: "expired", want: Expired, der: at(-time.Hour, -time.Second)},
		{name: "expires now", want: Expired, der: at(-time.Hour, 0)},
		{name: "thisUpdate ahead beyond the skew", want: NotYetValid, der: at(Skew+time.Second, time.Hour)},
		{name: "producedAt ahead beyond the skew", want: ProducedAhead, der: func(t *testing.T, s scene) []byte {
			a := s.answer()
			a.producedAt = moment(epoch.Add(Skew + time.Second))
			return a.der(t)
		}},
		{name: "a second entry for the certificate is outdated", want: Expired, der: func(t *testing.T, s scene) []byte {
			a := s.answer()
			a.singles = []single{{}, {thisUpdate: epoch.Add(-48 * time.Hour)}}
			return a.der(t)
		}},
		{name: "certificate expired", want: CertificateExpired, der: func(t *testing.T, s scene) []byte {
			a := s.answer()
			a.singles = []single{{thisUpdate: s.leaf.cert.NotAfter}}
			return a.der(t)
		}, o: Options{Now: epoch.AddDate(0, 2, 0).Add(time.Second)}},
		{name: "issuer expired", want: SignerDates, der: func(t *testing.T, s scene) []byte { return s.answer().der(t) },
			o: Options{Now: epoch.AddDate(6, 0, 0)}},
	})
}

func TestRefusesCriticalExtensions(t *testing.T) {
	nonce := extensionDER(true, octets([]byte("12345678")), 1, 3, 6, 1, 5, 5, 7, 48, 1, 2)
	unknown := extensionDER(true, null(), 1, 2, 3)
	checkRows(t, "ecdsa", []row{
		{name: "critical response extension", want: CriticalExtension, der: func(t *testing.T, s scene) []byte {
			a := s.answer()
			a.extensions = [][]byte{unknown}
			return a.der(t)
		}},
		{name: "critical nonce", want: CriticalExtension, der: func(t *testing.T, s scene) []byte {
			a := s.answer()
			a.extensions = [][]byte{nonce}
			return a.der(t)
		}},
		{name: "critical single extension", want: CriticalExtension, der: func(t *testing.T, s scene) []byte {
			a := s.answer()
			a.singles = []single{{extensions: [][]byte{unknown}}}
			return a.der(t)
		}},
	})
}

func TestRefusesResponderStatus(t *testing.T) {
	code := func(n byte) func(*testing.T, scene) []byte {
		return func(*testing.T, scene) []byte { return sequence(enumerated(n)) }
	}
	checkRows(t, "ecdsa", []row{
		{name: "malformedRequest", want: MalformedRequest, der: code(1)},
		{name: "internalError", want: InternalError, der: code(2)},
		{name: "tryLater", want: TryLater, der: code(3)},
		{name: "code 4", want: UnknownCode, der: code(4)},
		{name: "sigRequired", want: SigRequired, der: code(5)},
		{name: "unauthorized", want: Unauthorized, der: code(6)},
		{name: "code 99", want: UnknownCode, der: code(99)},
		{name: "successful without responseBytes", want: Malformed, der: code(0)},
		{name: "tryLater with responseBytes", want: Malformed, der: func(t *testing.T, s scene) []byte {
			return sequence(enumerated(3), tagged(0, sequence(idBasic, octets(s.answer().basic(t)))))
		}},
		{name: "not a basic response", want: ResponseType, der: func(t *testing.T, s scene) []byte {
			return sequence(enumerated(0), tagged(0, sequence(oid(1, 2, 3), octets(s.answer().basic(t)))))
		}},
		{name: "version 2", want: Version, der: func(t *testing.T, s scene) []byte {
			a := s.answer()
			a.version = tagged(0, integer(1))
			return a.der(t)
		}},
	})
}

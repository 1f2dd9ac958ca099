package staple

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1"
	"crypto/x509"
	"crypto/x509/pkix"
	stdasn1 "encoding/asn1"
	"math/big"
	"slices"
	"testing"
	"time"

	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"
)

// DER by hand, so that tests can say every byte that a responder could.

func element(tag asn1.Tag, parts ...[]byte) []byte {
	var b cryptobyte.Builder
	b.AddASN1(tag, func(b *cryptobyte.Builder) { b.AddBytes(slices.Concat(parts...)) })
	return b.BytesOrPanic()
}

func sequence(parts ...[]byte) []byte { return element(asn1.SEQUENCE, parts...) }
func octets(b []byte) []byte          { return element(asn1.OCTET_STRING, b) }
func bitString(b []byte) []byte       { return element(asn1.BIT_STRING, []byte{0}, b) }
func null() []byte                    { return []byte{5, 0} }
func enumerated(n byte) []byte        { return []byte{10, 1, n} }

func tagged(n uint8, parts ...[]byte) []byte {
	return element(asn1.Tag(n).ContextSpecific().Constructed(), parts...)
}

func integer(n int64) []byte {
	var b cryptobyte.Builder
	b.AddASN1Int64(n)
	return b.BytesOrPanic()
}

func oid(arcs ...int) []byte {
	var b cryptobyte.Builder
	b.AddASN1ObjectIdentifier(arcs)
	return b.BytesOrPanic()
}

func moment(t time.Time) []byte {
	return element(asn1.GeneralizedTime, []byte(t.UTC().Format("20060102150405Z")))
}

func extensionDER(critical bool, value []byte, arcs ...int) []byte {
	if critical {
		return sequence(oid(arcs...), []byte{1, 1, 0xff}, octets(value))
	}
	return sequence(oid(arcs...), octets(value))
}

var (
	algorithmSHA1RSA     = sequence(oid(1, 2, 840, 113549, 1, 1, 5), null())
	algorithmSHA256RSA   = sequence(oid(1, 2, 840, 113549, 1, 1, 11), null())
	algorithmSHA384RSA   = sequence(oid(1, 2, 840, 113549, 1, 1, 12), null())
	algorithmSHA512RSA   = sequence(oid(1, 2, 840, 113549, 1, 1, 13)) // absent is lawful too
	algorithmMD5RSA      = sequence(oid(1, 2, 840, 113549, 1, 1, 4), null())
	algorithmECDSA       = sequence(oid(1, 2, 840, 10045, 4, 3, 2))
	algorithmECDSASHA1   = sequence(oid(1, 2, 840, 10045, 4, 1))
	algorithmECDSASHA384 = sequence(oid(1, 2, 840, 10045, 4, 3, 3))
	algorithmECDSASHA512 = sequence(oid(1, 2, 840, 10045, 4, 3, 4))
	algorithmEd25519     = sequence(oid(1, 3, 101, 112))

	hashSHA1       = sequence(oid(1, 3, 14, 3, 2, 26), null())
	hashSHA1NoNull = sequence(oid(1, 3, 14, 3, 2, 26))
	hashSHA256     = sequence(oid(2, 16, 840, 1, 101, 3, 4, 2, 1), null())
	hashSHA384     = sequence(oid(2, 16, 840, 1, 101, 3, 4, 2, 2), null())
	hashSHA512     = sequence(oid(2, 16, 840, 1, 101, 3, 4, 2, 3))
)

// pssAlgorithm is RSA-PSS with SHA-256 and this salt length.
func pssAlgorithm(salt int64) []byte { return pssAlgorithmOf(hashSHA256, salt) }

func pssAlgorithmOf(hash []byte, salt int64) []byte {
	mgf := sequence(oid(1, 2, 840, 113549, 1, 1, 8), hash)
	return sequence(oid(1, 2, 840, 113549, 1, 1, 10), sequence(tagged(0, hash), tagged(1, mgf), tagged(2, integer(salt))))
}

// sign signs tbs as the AlgorithmIdentifier says.
func sign(t testing.TB, key crypto.Signer, algorithm, tbs []byte) []byte {
	t.Helper()
	var opts crypto.SignerOpts = crypto.SHA256
	digest := sum(crypto.SHA256, tbs)
	switch string(algorithm) {
	case string(algorithmSHA1RSA), string(algorithmECDSASHA1):
		opts, digest = crypto.SHA1, sum(crypto.SHA1, tbs)
	case string(algorithmSHA384RSA), string(algorithmECDSASHA384):
		opts, digest = crypto.SHA384, sum(crypto.SHA384, tbs)
	case string(algorithmSHA512RSA), string(algorithmECDSASHA512):
		opts, digest = crypto.SHA512, sum(crypto.SHA512, tbs)
	case string(algorithmEd25519):
		opts, digest = crypto.Hash(0), tbs
	case string(pssAlgorithm(32)):
		opts = &rsa.PSSOptions{SaltLength: 32, Hash: crypto.SHA256}
	case string(pssAlgorithmOf(hashSHA384, 48)):
		opts, digest = &rsa.PSSOptions{SaltLength: 48, Hash: crypto.SHA384}, sum(crypto.SHA384, tbs)
	case string(pssAlgorithmOf(hashSHA512, 64)):
		opts, digest = &rsa.PSSOptions{SaltLength: 64, Hash: crypto.SHA512}, sum(crypto.SHA512, tbs)
	case string(pssAlgorithm(20)):
		opts = &rsa.PSSOptions{SaltLength: 20, Hash: crypto.SHA256}
	}
	sig, err := key.Sign(rand.Reader, digest, opts)
	if err != nil {
		t.Fatal(err)
	}
	return sig
}

func sum(hash crypto.Hash, b []byte) []byte { return appendSum(nil, hash, b) }

// party is a certificate with its key.
type party struct {
	cert *x509.Certificate
	key  crypto.Signer
}

var epoch = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC) // "now" in these tests

func newKey(t testing.TB, kind string) crypto.Signer {
	t.Helper()
	var key crypto.Signer
	var err error
	switch kind {
	case "rsa":
		key, err = rsa.GenerateKey(rand.Reader, 2048)
	case "ecdsa384":
		key, err = ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	case "ecdsa521":
		key, err = ecdsa.GenerateKey(elliptic.P521(), rand.Reader)
	case "ed25519":
		_, key, err = ed25519.GenerateKey(rand.Reader)
	default:
		key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	}
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// certify makes a certificate for key; a nil issuer signs itself.
func certify(t testing.TB, issuer *party, key crypto.Signer, name string, change func(*x509.Certificate)) *party {
	t.Helper()
	template := &x509.Certificate{
		SerialNumber: new(big.Int).SetBytes(sum(crypto.SHA256, []byte(name))[:8]),
		Subject:      pkix.Name{CommonName: name},
		NotBefore:    epoch.AddDate(0, -1, 0),
		NotAfter:     epoch.AddDate(0, 2, 0),
		KeyUsage:     x509.KeyUsageDigitalSignature,
	}
	if change != nil {
		change(template)
	}
	parent, signer := template, key
	if issuer != nil {
		parent, signer = issuer.cert, issuer.key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, key.Public(), signer)
	if err != nil {
		t.Fatal(err)
	}
	c, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return &party{c, key}
}

func asCA(c *x509.Certificate) {
	c.IsCA, c.BasicConstraintsValid = true, true
	c.KeyUsage = x509.KeyUsageCertSign | x509.KeyUsageCRLSign
	c.NotAfter = epoch.AddDate(5, 0, 0)
}

func asDelegate(c *x509.Certificate) {
	c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageOCSPSigning}
	c.ExtraExtensions = []pkix.Extension{{Id: []int{1, 3, 6, 1, 5, 5, 7, 48, 1, 5}, Value: null()}}
}

// single is one entry of an answer; zero fields take lawful values for leaf and issuer.
type single struct {
	hash       []byte // AlgorithmIdentifier of the CertID
	serial     *big.Int
	issuer     *x509.Certificate
	status     []byte
	thisUpdate time.Time
	nextUpdate []byte // whole [0]; nil: a day after; empty: none
	extensions [][]byte
}

// answer is a response under construction; zero fields take lawful values.
type answer struct {
	leaf, issuer *party
	signer       *party // default: the issuer
	responderID  []byte
	version      []byte
	producedAt   []byte
	singles      []single // default: one good entry
	extensions   [][]byte
	algorithm    []byte
	signature    []byte
	certs        [][]byte
	after        []byte // more bytes behind certs
}

var (
	statusGood    = []byte{0x80, 0}
	statusUnknown = []byte{0x82, 0}
)

func statusRevoked(at time.Time, reason int) []byte {
	if reason < 0 {
		return tagged(1, moment(at))
	}
	return tagged(1, moment(at), tagged(0, enumerated(byte(reason))))
}

func keyHash(t testing.TB, c *x509.Certificate) []byte {
	t.Helper()
	key, err := publicKeyBits(c)
	if err != nil {
		t.Fatal(err)
	}
	h := sha1.Sum(key)
	return h[:]
}

func (s single) der(t testing.TB, a answer) []byte {
	t.Helper()
	if s.hash == nil {
		s.hash = hashSHA1
	}
	if s.serial == nil {
		s.serial = a.leaf.cert.SerialNumber
	}
	if s.issuer == nil {
		s.issuer = a.issuer.cert
	}
	if s.status == nil {
		s.status = statusGood
	}
	if s.thisUpdate.IsZero() {
		s.thisUpdate = epoch.Add(-time.Hour)
	}
	if s.nextUpdate == nil {
		s.nextUpdate = tagged(0, moment(s.thisUpdate.Add(24*time.Hour)))
	}
	serial, err := stdasn1.Marshal(s.serial)
	if err != nil {
		t.Fatal(err)
	}
	hash := crypto.SHA1
	switch string(s.hash) {
	case string(hashSHA256):
		hash = crypto.SHA256
	case string(hashSHA384):
		hash = crypto.SHA384
	case string(hashSHA512):
		hash = crypto.SHA512
	}
	key, err := publicKeyBits(s.issuer)
	if err != nil {
		t.Fatal(err)
	}
	parts := [][]byte{sequence(s.hash, octets(sum(hash, s.issuer.RawSubject)), octets(sum(hash, key)), serial),
		s.status, moment(s.thisUpdate), s.nextUpdate}
	if s.extensions != nil {
		parts = append(parts, tagged(1, sequence(s.extensions...)))
	}
	return sequence(parts...)
}

func algorithmFor(key crypto.Signer) []byte {
	switch key.(type) {
	case *rsa.PrivateKey:
		return algorithmSHA256RSA
	case ed25519.PrivateKey:
		return algorithmEd25519
	}
	return algorithmECDSA
}

func (a answer) tbs(t testing.TB) []byte {
	t.Helper()
	if a.responderID == nil {
		a.responderID = tagged(2, octets(keyHash(t, a.signer.cert)))
	}
	if a.producedAt == nil {
		a.producedAt = moment(epoch.Add(-time.Hour))
	}
	if a.singles == nil {
		a.singles = []single{{}}
	}
	var entries []byte
	for _, s := range a.singles {
		entries = append(entries, s.der(t, a)...)
	}
	parts := [][]byte{a.version, a.responderID, a.producedAt, sequence(entries)}
	if a.extensions != nil {
		parts = append(parts, tagged(1, sequence(a.extensions...)))
	}
	return sequence(parts...)
}

func (a answer) basic(t testing.TB) []byte {
	t.Helper()
	if a.signer == nil {
		a.signer = a.issuer
	}
	if a.algorithm == nil {
		a.algorithm = algorithmFor(a.signer.key)
	}
	tbs := a.tbs(t)
	if a.signature == nil {
		a.signature = sign(t, a.signer.key, a.algorithm, tbs)
	}
	parts := [][]byte{tbs, a.algorithm, bitString(a.signature)}
	if a.certs != nil {
		parts = append(parts, tagged(0, sequence(a.certs...)))
	}
	return sequence(append(parts, a.after)...)
}

var idBasic = oid(1, 3, 6, 1, 5, 5, 7, 48, 1, 1)

func (a answer) der(t testing.TB) []byte {
	t.Helper()
	return successful(a.basic(t))
}

func successful(basic []byte) []byte {
	return sequence(enumerated(0), tagged(0, sequence(idBasic, octets(basic))))
}

// scene is a CA with a leaf and a delegate.
type scene struct {
	issuer, leaf, delegate *party
}

func newScene(t testing.TB, kind string) scene {
	t.Helper()
	issuer := certify(t, nil, newKey(t, kind), "Test CA", asCA)
	return scene{
		issuer:   issuer,
		leaf:     certify(t, issuer, newKey(t, "ecdsa"), "www.example.com", func(c *x509.Certificate) { c.DNSNames = []string{"www.example.com"} }),
		delegate: certify(t, issuer, newKey(t, kind), "OCSP delegate", asDelegate),
	}
}

func (s scene) answer() answer { return answer{leaf: s.leaf, issuer: s.issuer} }

func (s scene) verify(der []byte, o Options) (*Facts, error) {
	if o.Now.IsZero() {
		o.Now = epoch
	}
	return Verify(der, s.leaf.cert, s.issuer.cert, o)
}

package staple

import (
	"bytes"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"math/big"
	"sync"
	"time"
)

// Skew is how far thisUpdate and producedAt may be ahead of the clock. Ends get no such grace.
const Skew = 5 * time.Minute

// Status is what a response says of the certificate (RFC 6960 section 2.2).
type Status string

// The three statuses. Unknown means that the responder does not know the certificate.
const (
	Good    Status = "good"
	Revoked Status = "revoked"
	Unknown Status = "unknown"
)

// Options are what a judgement depends on besides the certificates.
type Options struct {
	// Now is the time for which everything is judged. Required, but for AsSigned.
	Now time.Time
	// AsSigned judges for the time at which the response was signed, which is in what is signed, in place of Now: whether
	// it was right then, however long ago that is. Where thisUpdate is later than producedAt it is that.
	AsSigned bool
	// AllowSHA1Signatures accepts SHA-1 in the signature of the response and in that of a delegate's certificate, for
	// old private CAs. MD5 is refused in any case.
	AllowSHA1Signatures bool
	// TrustedResponders may sign responses for any issuer. Only their dates and the ResponderID are checked.
	TrustedResponders []*x509.Certificate
}

// Facts are what a verified response says. Times are UTC. A Facts belongs to its caller; its certificates, its
// serial number and DER must not be changed.
type Facts struct {
	DER []byte // the response, byte for byte; a copy

	Status           Status
	SerialNumber     *big.Int // of the certificate
	ThisUpdate       time.Time
	NextUpdate       time.Time // zero if the response has none
	ProducedAt       time.Time
	RevokedAt        time.Time // zero unless revoked
	RevocationReason string    // CRLReason of RFC 5280 section 5.3.1, "" if not given

	Signer             *x509.Certificate // whose key signed: the issuer, its delegate or a trusted responder
	Delegated          bool              // the signer is a delegate that the issuer certified
	SignatureAlgorithm string            // such as "ECDSA-SHA256"

	// Until is when this response must no longer be served: the earliest of nextUpdate and the ends of the signer's
	// certificate and of the certificate itself.
	Until time.Time
	// Unstaplable says why HAProxy can never staple this response, whatever the time; empty if it can.
	Unstaplable []Reason
	// Warnings are sentences for the operator about what is lawful but odd.
	Warnings []string
}

// SHA256 returns the lower-case hex SHA-256 of DER. It is computed anew with each call.
func (f *Facts) SHA256() string {
	hash := sha256.Sum256(f.DER)
	return hex.EncodeToString(hash[:])
}

// Serial returns the serial number of the certificate: lower-case hex of whole bytes, no colons.
func (f *Facts) Serial() string {
	if f.SerialNumber == nil {
		return ""
	}
	return serialHex(f.SerialNumber)
}

// Verify judges a DER response for leaf, issued by issuer, at o.Now, after RFC 6960 section 3.2. It copies der. Its
// error is always a *Refusal. A response that says revoked or unknown is verified like any other: look at
// Facts.Status. Of several entries for the certificate the worst counts: revoked over unknown over good. Where more
// than one response for a certificate is judged, a Pair saves the repeated proof that the issuer signed it.
func Verify(der []byte, leaf, issuer *x509.Certificate, o Options) (*Facts, error) {
	return NewPair(leaf, issuer).Verify(der, o)
}

// judgement is one pass over a response. The steps fill it from top to bottom; each may rely on those before it.
type judgement struct {
	*Pair
	der []byte
	o   Options

	response  response
	matching  []*entry // the entries about our certificate
	chosen    *entry   // the worst of them
	algorithm algorithm
	signers   []*x509.Certificate // named by the ResponderID, and their key fits
	signer    *x509.Certificate   // the first of them that may sign
	delegated bool

	unstaplable []Reason
	warnings    []string

	fault   error // of what is read outside of response
	explain bool  // keep a trace
	trace   []Step
	current Step

	// The usual case of one entry, one signer and one certificate needs no memory but this.
	room struct {
		entries  [1]entry
		matching [1]*entry
		signers  [1]*x509.Certificate
		certs    [1]*x509.Certificate
	}
}

// judgements are kept for the next response: what leaves one is a copy or was allocated for whoever gets it.
var judgements = sync.Pool{New: func() any { return new(judgement) }}

func newJudgement(der []byte, p *Pair, o Options) *judgement {
	if len(der) > MaxResponse {
		der = der[:MaxResponse+1] // enough to be refused; do not copy more
	}
	j := judgements.Get().(*judgement)
	j.Pair, j.der, j.o = p, bytes.Clone(der), o
	j.response.pair, j.response.certs = p, j.room.certs[:0]
	j.response.entries, j.matching, j.signers = j.room.entries[:0], j.room.matching[:0], j.room.signers[:0]
	return j
}

// done gives j back. Nothing may use it, or what lies in its room, any more.
func (j *judgement) done() {
	*j = judgement{}
	judgements.Put(j)
}

// check is one step of the judgement. It returns nil to go on.
type check struct {
	name string
	run  func(*judgement) *Refusal
}

// checks are the steps in their order: form first, then whose response it is, who signed it, and times last, so that
// an explanation of an expired response still tells everything else about it.
func checks() []check { return checkList[:] }

var checkList = [...]check{
	{"encoding", (*judgement).checkEncoding},
	{"response status", (*judgement).checkCode},
	{"response type", (*judgement).checkKind},
	{"response extensions", (*judgement).checkExtensions},
	{"issuer", (*judgement).checkIssuer},
	{"certificate id", (*judgement).checkEntries},
	{"signature algorithm", (*judgement).checkAlgorithm},
	{"signature", (*judgement).checkSignature},
	{"signer", (*judgement).checkSigner},
	{"update times", (*judgement).checkTimes},
	{"certificate dates", (*judgement).checkLeafDates},
	{"haproxy", (*judgement).checkHAProxy},
}

func (j *judgement) run() *Refusal {
	for _, c := range checks() {
		j.begin(c.name)
		refusal := c.run(j)
		j.finish(refusal)
		if refusal != nil {
			return refusal
		}
	}
	return nil
}

func (j *judgement) facts() *Facts {
	f := &Facts{
		DER:                j.der,
		Status:             j.chosen.status,
		SerialNumber:       j.leaf.SerialNumber,
		ThisUpdate:         j.chosen.thisUpdate,
		NextUpdate:         j.chosen.nextUpdate,
		ProducedAt:         j.response.producedAt,
		RevokedAt:          j.chosen.revokedAt,
		RevocationReason:   reasonName(j.chosen.reason),
		Signer:             j.signer,
		Delegated:          j.delegated,
		SignatureAlgorithm: j.algorithm.name,
		Until:              j.signer.NotAfter.UTC(),
		Unstaplable:        j.unstaplable,
		Warnings:           j.warnings,
	}
	if j.leaf.NotAfter.Before(f.Until) {
		f.Until = j.leaf.NotAfter.UTC()
	}
	for _, e := range j.matching {
		if !e.nextUpdate.IsZero() && e.nextUpdate.Before(f.Until) {
			f.Until = e.nextUpdate
		}
	}
	return f
}

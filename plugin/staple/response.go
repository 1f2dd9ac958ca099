package staple

import (
	"crypto/x509"
	"fmt"
	"math/big"
	"slices"
	"time"

	"golang.org/x/crypto/cryptobyte/asn1"
)

// Bounds of a response. The size is that of the largest body worth reading from a responder; real responses are
// of 300 to 3,000 bytes with one entry and at most two certificates.
const (
	MaxResponse     = 64 << 10
	maxEntries      = 128
	maxCertificates = 16
	maxExtensions   = 32
)

const oidBasic = "1.3.6.1.5.5.7.48.1.1"

// response is an OCSPResponse of RFC 6960 section 4.2.1 as it was read, without any judgement. If code is not 0 or
// kind is not id-pkix-ocsp-basic, nothing but these two is set.
type response struct {
	pair  *Pair // whose issuer's certificate need not be read again; may be nil
	fault error

	code int
	kind string

	tbs        []byte // the signed bytes
	version    *big.Int
	responder  responderID
	producedAt time.Time
	entries    []entry
	extensions []extension
	algorithm  []byte // AlgorithmIdentifier, whole
	signature  []byte
	certs      []*x509.Certificate
}

// responderID holds either a whole DER Name or the SHA-1 of a public key; the other one is nil.
type responderID struct {
	name    []byte
	keyHash []byte
}

// entry is a SingleResponse.
type entry struct {
	certID     certID
	status     Status
	revokedAt  time.Time
	reason     int // CRLReason, -1 if absent
	thisUpdate time.Time
	nextUpdate time.Time // zero if absent
	extensions []extension
}

type extension struct {
	oid      string
	critical bool
}

// read reads the whole of der. Its error is about form only.
func (r *response) read(der []byte) error {
	root := &input{rest: der, name: "response", err: &r.fault}
	in := root.sub("OCSPResponse", asn1.SEQUENCE)
	root.end()
	r.code = in.enumerated("responseStatus")
	if *in.err != nil || r.code != 0 {
		in.end()
		return *in.err
	}
	outer := in.sub("responseBytes", asn1.Tag(0).ContextSpecific().Constructed())
	in.end()
	typed := outer.sub("ResponseBytes", asn1.SEQUENCE)
	outer.end()
	r.kind = typed.oid("responseType")
	octets := typed.sub("response", asn1.OCTET_STRING)
	typed.end()
	if *in.err == nil && r.kind == oidBasic {
		r.readBasic(octets)
	}
	return *in.err
}

func (r *response) readBasic(octets *input) {
	in := octets.sub("BasicOCSPResponse", asn1.SEQUENCE)
	octets.end()
	r.tbs = in.element("tbsResponseData", asn1.SEQUENCE)
	r.algorithm = in.element("signatureAlgorithm", asn1.SEQUENCE)
	r.signature = in.bits("signature")
	if tag := asn1.Tag(0).ContextSpecific().Constructed(); in.has(tag) {
		r.readCertificates(in.sub("certs", tag))
	}
	in.end()
	r.readData(&input{rest: r.tbs, name: "tbsResponseData", err: in.err})
}

func (r *response) readCertificates(tagged *input) {
	list := tagged.sub("certs", asn1.SEQUENCE)
	tagged.end()
	for list.more() {
		if len(r.certs) == maxCertificates {
			list.failf("more than %d certificates", maxCertificates)
			return
		}
		c, err := r.pair.parse(list.element("Certificate", asn1.SEQUENCE))
		if err != nil {
			list.failf("certificate %d: %w", len(r.certs)+1, err)
			return
		}
		r.certs = append(r.certs, c)
	}
}

func (r *response) readData(tbs *input) {
	in := tbs.sub("ResponseData", asn1.SEQUENCE)
	if tag := asn1.Tag(0).ContextSpecific().Constructed(); in.has(tag) {
		tagged := in.sub("version", tag)
		r.version = tagged.integer("version")
		tagged.end()
		if r.version.Sign() == 0 {
			tagged.failf("DER leaves the default out")
		}
	}
	r.readResponder(in)
	r.producedAt = in.time("producedAt")
	list := in.sub("responses", asn1.SEQUENCE)
	for list.more() {
		if len(r.entries) == maxEntries {
			list.failf("more than %d entries", maxEntries)
			return
		}
		name := "entry 1"
		if n := len(r.entries); n > 0 {
			name = fmt.Sprintf("entry %d", n+1)
		}
		r.entries = append(r.entries, readEntry(list.sub(name, asn1.SEQUENCE)))
	}
	r.extensions = readExtensions(in, "responseExtensions")
	in.end()
}

func (r *response) readResponder(in *input) {
	byName, byKey := asn1.Tag(1).ContextSpecific().Constructed(), asn1.Tag(2).ContextSpecific().Constructed()
	if in.has(byName) {
		tagged := in.sub("responderID", byName)
		r.responder.name = tagged.element("Name", asn1.SEQUENCE)
		tagged.end()
		return
	}
	tagged := in.sub("responderID", byKey)
	r.responder.keyHash = tagged.content("KeyHash", asn1.OCTET_STRING)
	if *in.err == nil && len(r.responder.keyHash) != 20 {
		tagged.failf("KeyHash has %d bytes, not 20", len(r.responder.keyHash))
	}
	tagged.end()
}

func readEntry(in *input) entry {
	e := entry{reason: -1, certID: readCertID(in)}
	good := asn1.Tag(0).ContextSpecific()
	revoked := asn1.Tag(1).ContextSpecific().Constructed()
	unknown := asn1.Tag(2).ContextSpecific()
	switch {
	case in.has(good):
		in.sub("good", good).end()
		e.status = Good
	case in.has(revoked):
		info := in.sub("revoked", revoked)
		e.status = Revoked
		e.revokedAt = info.time("revocationTime")
		if tag := asn1.Tag(0).ContextSpecific().Constructed(); info.has(tag) {
			tagged := info.sub("revocationReason", tag)
			e.reason = tagged.enumerated("CRLReason")
			tagged.end()
		}
		info.end()
	default:
		in.sub("certStatus", unknown).end()
		e.status = Unknown
	}
	e.thisUpdate = in.time("thisUpdate")
	if tag := asn1.Tag(0).ContextSpecific().Constructed(); in.has(tag) {
		tagged := in.sub("nextUpdate", tag)
		e.nextUpdate = tagged.time("nextUpdate")
		tagged.end()
	}
	e.extensions = readExtensions(in, "singleExtensions")
	in.end()
	return e
}

// readExtensions reads [1] EXPLICIT Extensions if it comes next. Values are of no use here: what is critical is
// refused whatever it says, and what is not critical may be passed over.
func readExtensions(in *input, name string) []extension {
	tag := asn1.Tag(1).ContextSpecific().Constructed()
	if !in.has(tag) {
		return nil
	}
	tagged := in.sub(name, tag)
	list := tagged.sub(name, asn1.SEQUENCE)
	tagged.end()
	var out []extension
	for list.more() {
		one := list.sub("Extension", asn1.SEQUENCE)
		e := extension{oid: one.oid("extnID"), critical: one.critical()}
		one.content("extnValue", asn1.OCTET_STRING)
		one.end()
		if slices.ContainsFunc(out, func(o extension) bool { return o.oid == e.oid }) {
			list.failf("extension %s stands twice", e.oid)
		}
		if len(out) == maxExtensions {
			list.failf("more than %d extensions", maxExtensions)
		}
		out = append(out, e)
	}
	if len(out) == 0 {
		list.failf("empty")
	}
	return out
}

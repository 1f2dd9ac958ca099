package testca

import (
	"bytes"
	"crypto"
	"crypto/x509"
	"math/big"
	"net/http"
	"strings"
	"time"

	"golang.org/x/crypto/ocsp"
)

// ResponderOptions describe how a responder answers.
type ResponderOptions struct {
	Validity time.Duration    // nextUpdate is that much after now; default an hour
	Backdate time.Duration    // thisUpdate is that much before now; default 0
	Now      func() time.Time // default: the CA's clock

	// SignUnknown answers for serial numbers that the index does not hold with
	// a signed "unknown", as openssl does; otherwise the answer is
	// "unauthorized", as from responders that sign in advance (RFC 5019, 2.2.3).
	SignUnknown bool

	// Signer and SignerCert make a delegate sign (see IssueOptions.Delegate);
	// nil: the CA itself.
	Signer     crypto.Signer
	SignerCert *x509.Certificate

	// Fault makes the responder go wrong: the name of one of Faults, and after
	// it perhaps "@" and how many requests it spoils, after which all goes
	// well. Faults of connections need Serve. See CheckFault.
	Fault string

	// OnRequest, where set, is told of every OCSP request before it is
	// answered: the serial number asked for (nil where the request was
	// unreadable) and the HTTP method. It may be called concurrently.
	OnRequest func(serial *big.Int, method string)
}

// Responder answers OCSP requests by GET, below any path, and by POST (RFC 6960,
// A.1), for the certificates in the index as it is at that moment, and `GET
// …/ca.crt` with the CA's certificate (DER), for AIA. The CertID's hash is the
// request's. A nonce is ignored (RFC 5019, 2.2.1). It should see the path as it
// came: an http.ServeMux before it redirects requests whose base64 has `//`.
// Where o.Fault is wrong, each answer is an HTTP 500 that says so.
func (c *CA) Responder(o ResponderOptions) http.Handler {
	if o.Validity == 0 {
		o.Validity = time.Hour
	}
	if o.Now == nil {
		o.Now = c.now
	}
	if o.OnRequest == nil {
		o.OnRequest = func(*big.Int, string) {}
	}
	r := &responder{ca: c, o: o, index: cachedIndex{ca: c}}
	if f, n, err := parseFault(o.Fault); err != nil {
		r.wrong = err
	} else {
		r.spoiler = newSpoiler(c, f, n)
	}
	return r
}

type responder struct {
	ca      *CA
	o       ResponderOptions
	index   cachedIndex
	spoiler *spoiler
	wrong   error // of o.Fault
}

func (r *responder) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	var asked *ocsp.Request
	var err error
	switch {
	case r.wrong != nil:
		http.Error(w, r.wrong.Error(), http.StatusInternalServerError)
		return
	case req.Method == http.MethodGet && strings.HasSuffix(req.URL.Path, "/ca.crt"):
		w.Header().Set("Content-Type", "application/pkix-cert")
		w.Write(r.ca.cert.Raw)
		return
	case req.Method == http.MethodGet:
		asked, err = requestInPath(req.URL.EscapedPath())
	case req.Method == http.MethodPost:
		asked, err = requestInBody(http.MaxBytesReader(w, req.Body, maxRequest))
	default:
		w.Header().Set("Allow", "GET, POST")
		http.Error(w, "an OCSP responder takes GET and POST", http.StatusMethodNotAllowed)
		return
	}
	x := &exchange{spoiler: r.spoiler, fault: r.spoiler.next(), w: w, req: req, now: r.o.Now()}
	if err != nil {
		r.o.OnRequest(nil, req.Method)
		x.page = errorPage(ocsp.Malformed)
	} else {
		r.o.OnRequest(asked.SerialNumber, req.Method)
		x.page = r.answer(x, asked)
	}
	x.send()
}

// answer looks the certificate up and makes the page that says what the index
// says.
func (r *responder) answer(x *exchange, asked *ocsp.Request) *page {
	a := Answer{
		Serial:     asked.SerialNumber,
		Hash:       asked.HashAlgorithm,
		ThisUpdate: x.now.Add(-r.o.Backdate),
		NextUpdate: firstTime(x.now, x.now).Add(r.o.Validity),
		ProducedAt: x.now,
		Signer:     r.o.Signer,
		SignerCert: r.o.SignerCert,
	}
	ours, err := newCertID(asked.HashAlgorithm, r.ca.cert, asked.SerialNumber)
	if err != nil || !bytes.Equal(ours.NameHash, asked.IssuerNameHash) || !bytes.Equal(ours.KeyHash, asked.IssuerKeyHash) {
		return errorPage(ocsp.Unauthorized)
	}
	index, err := r.index.get()
	if err != nil {
		return errorPage(ocsp.InternalError)
	}
	entry := index.find(asked.SerialNumber)
	switch {
	case entry != nil && entry.status == 'V':
		a.Status = ocsp.Good
	case entry != nil && entry.status == 'R':
		a.Status, a.RevokedAt, a.Reason = ocsp.Revoked, entry.revoked, max(entry.reason, 0)
	case r.o.SignUnknown:
		a.Status = ocsp.Unknown
	default:
		return errorPage(ocsp.Unauthorized)
	}
	if entry != nil {
		x.serial, x.expires = entry.serial, entry.expires
	}
	if x.fault.sign != nil {
		if err := x.fault.sign(x, &a); err != nil {
			return errorPage(ocsp.InternalError)
		}
	}
	der, err := r.ca.Respond(a)
	if err != nil {
		return errorPage(ocsp.InternalError)
	}
	return answerPage(der, a, x.now)
}

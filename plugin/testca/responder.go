package testca

import (
	"bytes"
	"crypto"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"golang.org/x/crypto/ocsp"
)

// maxRequest bounds an OCSP request, in a body as in a path.
const maxRequest = 16 << 10

// maxPrefix bounds the slashes before the request in a path.
const maxPrefix = 16

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
	return &responder{ca: c, o: o, index: cachedIndex{ca: c}}
}

type responder struct {
	ca    *CA
	o     ResponderOptions
	index cachedIndex
}

func (r *responder) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	var asked *ocsp.Request
	var err error
	switch {
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
	if err != nil {
		r.o.OnRequest(nil, req.Method)
		sendError(w, ocsp.Malformed)
		return
	}
	r.o.OnRequest(asked.SerialNumber, req.Method)
	r.answer(w, req, asked)
}

// answer looks the certificate up and sends what the index says.
func (r *responder) answer(w http.ResponseWriter, req *http.Request, asked *ocsp.Request) {
	now := r.o.Now()
	a := Answer{
		Serial:     asked.SerialNumber,
		Hash:       asked.HashAlgorithm,
		ThisUpdate: now.Add(-r.o.Backdate),
		NextUpdate: firstTime(now, now).Add(r.o.Validity),
		ProducedAt: now,
		Signer:     r.o.Signer,
		SignerCert: r.o.SignerCert,
	}
	ours, err := newCertID(asked.HashAlgorithm, r.ca.cert, asked.SerialNumber)
	if err != nil || !bytes.Equal(ours.NameHash, asked.IssuerNameHash) || !bytes.Equal(ours.KeyHash, asked.IssuerKeyHash) {
		sendError(w, ocsp.Unauthorized)
		return
	}
	index, err := r.index.get()
	if err != nil {
		sendError(w, ocsp.InternalError)
		return
	}
	switch entry := index.find(asked.SerialNumber); {
	case entry != nil && entry.status == 'V':
		a.Status = ocsp.Good
	case entry != nil && entry.status == 'R':
		a.Status, a.RevokedAt, a.Reason = ocsp.Revoked, entry.revoked, max(entry.reason, 0)
	case r.o.SignUnknown:
		a.Status = ocsp.Unknown
	default:
		sendError(w, ocsp.Unauthorized)
		return
	}
	der, err := r.ca.Respond(a)
	if err != nil {
		sendError(w, ocsp.InternalError)
		return
	}
	sendAnswer(w, der, a, now)
}

// sendAnswer sets the header fields of RFC 5019, 6.2.
func sendAnswer(w http.ResponseWriter, der []byte, a Answer, now time.Time) {
	sum := sha256.Sum256(der)
	h := w.Header()
	h.Set("Content-Type", "application/ocsp-response")
	h.Set("Content-Length", strconv.Itoa(len(der)))
	h.Set("Date", now.UTC().Format(http.TimeFormat))
	h.Set("Last-Modified", a.ThisUpdate.UTC().Format(http.TimeFormat))
	h.Set("Expires", a.NextUpdate.UTC().Format(http.TimeFormat))
	h.Set("ETag", `"`+hex.EncodeToString(sum[:])+`"`)
	h.Set("Cache-Control", fmt.Sprintf("max-age=%d, public, no-transform, must-revalidate", max(0, int(a.NextUpdate.Sub(now).Seconds()))))
	w.Write(der)
}

// sendError sends an OCSP status without content. Its HTTP status is 200: HTTP
// worked.
func sendError(w http.ResponseWriter, status ocsp.ResponseStatus) {
	der := ErrorResponse(status)
	w.Header().Set("Content-Type", "application/ocsp-response")
	w.Header().Set("Content-Length", strconv.Itoa(len(der)))
	w.Header().Set("Cache-Control", "no-store")
	w.Write(der)
}

func requestInBody(body io.Reader) (*ocsp.Request, error) {
	der, err := io.ReadAll(body)
	if err != nil {
		return nil, err
	}
	return ocsp.ParseRequest(der)
}

// requestInPath finds the base64 of a request in an escaped path. Where it begins
// is not known: the responder's URL may have a path of its own, and `/` is a
// letter of base64. So the places behind the first slashes are tried, from the
// left.
func requestInPath(path string) (*ocsp.Request, error) {
	if len(path) > maxRequest {
		return nil, errors.New("path too long")
	}
	for range maxPrefix {
		_, rest, found := strings.Cut(path, "/")
		if !found {
			break
		}
		path = rest
		if asked, err := decodePath(path); err == nil {
			return asked, nil
		}
	}
	return nil, errors.New("no OCSP request in the path")
}

func decodePath(escaped string) (*ocsp.Request, error) {
	text, err := url.PathUnescape(escaped)
	if err != nil {
		return nil, err
	}
	der, err := base64.RawStdEncoding.DecodeString(strings.TrimRight(text, "="))
	if err != nil {
		return nil, err
	}
	return ocsp.ParseRequest(der)
}

package responder

import (
	"context"
	"crypto/x509"
	"net/http"
	"time"

	"github.com/consul-ocsp/consul-ocsp/plugin/staple"
)

// MaxIssuer is the longest body of a caIssuers URL, in bytes: a PKCS #7 message
// may hold a whole chain.
const MaxIssuer = 256 << 10

// IssuerRequest asks for the certificates behind one caIssuers URL.
type IssuerRequest struct {
	// URL is from the certificate's AIA extension; http or https.
	URL string
	// Timeout bounds the whole download; 0: DefaultTimeout.
	Timeout time.Duration
	// Proxy is as that of a [Request].
	Proxy string
	Guard Guard
}

// Issuer downloads the certificates behind a caIssuers URL: DER, PEM or PKCS #7,
// whatever the Content-Type says. Nothing says yet that one of them signed
// anything: the caller looks for the issuer by signature. The error is a
// *Failure.
func (c *Client) Issuer(ctx context.Context, r IssuerRequest) ([]*x509.Certificate, error) {
	ctx, cancel := context.WithTimeout(ctx, timeoutOf(r.Timeout))
	defer cancel()
	u, err := parseURL(r.URL)
	if err != nil {
		return nil, &Failure{Reason: BadURL, URL: r.URL, Err: err}
	}
	p, f := c.fetch(ctx, hop{method: http.MethodGet, url: u, proxy: r.Proxy, accept: "*/*", max: MaxIssuer}, r.Guard)
	if f != nil {
		f.URL, f.Method = r.URL, http.MethodGet
		return nil, f
	}
	switch {
	case p.status != http.StatusOK:
		return nil, p.refusal(r.URL, http.MethodGet)
	case len(p.body) == 0:
		return nil, p.failure(Empty, r.URL, http.MethodGet, nil)
	}
	certs, err := staple.ParseCertificates(p.body)
	if err != nil {
		return nil, p.failure(NotCertificate, r.URL, http.MethodGet, err)
	}
	return certs, nil
}

package responder

import (
	"errors"
	"fmt"
	"net/http"
	"time"
)

// Reason says in one word why there is no answer. Values are stable: they are
// label values, and what operators search for.
type Reason string

// What each means is in [Reasons].
const (
	BadURL           Reason = "bad-url"
	HostForbidden    Reason = "host-forbidden"
	AddressForbidden Reason = "address-forbidden"
	Proxy            Reason = "proxy"
	DNS              Reason = "dns"
	Refused          Reason = "refused"
	Unreachable      Reason = "unreachable"
	Reset            Reason = "reset"
	TLS              Reason = "tls"
	Timeout          Reason = "timeout"
	Canceled         Reason = "canceled"
	Protocol         Reason = "protocol"
	Redirect         Reason = "redirect"
	NotModified      Reason = "not-modified"
	HTTPStatus       Reason = "http-status"
	Truncated        Reason = "truncated"
	TooLarge         Reason = "too-large"
	Empty            Reason = "empty"
	NotOCSP          Reason = "not-ocsp"
	NotCertificate   Reason = "not-certificate"
)

// ReasonMeaning explains one Reason in one line.
type ReasonMeaning struct {
	Reason  Reason
	Meaning string
}

// Reasons returns every Reason with its meaning, in the order in which an
// exchange can meet them.
func Reasons() []ReasonMeaning {
	return []ReasonMeaning{
		{BadURL, "the responder's URL is not http or https, has no host or carries a password"},
		{HostForbidden, "allowed_responders does not name the host"},
		{AddressForbidden, "the host has an address that may not be dialled"},
		{Proxy, "the proxy could not be reached, or refused to pass the request on"},
		{DNS, "the host's name could not be resolved"},
		{Refused, "nothing listens on the responder's port"},
		{Unreachable, "no route to the responder"},
		{Reset, "the responder closed the connection before it answered"},
		{TLS, "the TLS handshake failed, or the server's certificate is not trusted"},
		{Timeout, "no whole answer within the timeout"},
		{Canceled, "given up because the agent or the command ends"},
		{Protocol, "what came back is not HTTP"},
		{Redirect, "more than 3 redirects, or one to something that is no http or https URL"},
		{NotModified, "status 304, though no answer was named that the responder could mean"},
		{HTTPStatus, "an HTTP status other than 200 without an OCSP response"},
		{Truncated, "the body ended early"},
		{TooLarge, "the body is larger than 64 KiB"},
		{Empty, "status 200 with an empty body"},
		{NotOCSP, "status 200 with a body that is no OCSP response, such as an HTML page"},
		{NotCertificate, "the body behind a caIssuers URL holds no certificate"},
	}
}

// Failure is the error of an exchange that brought no answer.
type Failure struct {
	Reason Reason
	// URL is the one that was to be asked, as the certificate or the job file
	// has it.
	URL string
	// Method is empty if the request was not sent.
	Method string
	// HTTPStatus is zero unless Reason is HTTPStatus or Proxy.
	HTTPStatus int
	// RetryAfter is what the server asked for, 0 to 24 h.
	RetryAfter time.Duration
	// Requests is how many HTTP requests were sent, redirects included.
	Requests int
	// Err is the cause, nil where Reason says it all.
	Err error
}

// Error names the URL, without a password that is in it, the reason and the
// cause.
func (f *Failure) Error() string {
	s := fmt.Sprintf("responder %.200q: %s", withoutPassword(f.URL), f.Reason)
	if f.HTTPStatus != 0 {
		s += fmt.Sprintf(" %d %s", f.HTTPStatus, http.StatusText(f.HTTPStatus))
	}
	if f.Err != nil {
		s += ": " + f.Err.Error()
	}
	return s
}

// Unwrap returns the cause.
func (f *Failure) Unwrap() error { return f.Err }

// ReasonOf returns the Reason of the first *Failure in err's chain, or "".
func ReasonOf(err error) Reason {
	var f *Failure
	if errors.As(err, &f) {
		return f.Reason
	}
	return ""
}

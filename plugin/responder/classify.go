package responder

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"syscall"
)

// classify finds the word for an error of the transport. Order matters: the
// guard's refusal comes wrapped in a dial error, a timeout in anything.
func classify(ctx context.Context, err error) Reason {
	var dns *net.DNSError
	switch {
	case errors.Is(err, errAddress):
		return AddressForbidden
	case isProxy(err) && ctx.Err() == nil:
		return Proxy
	case errors.As(err, &dns):
		return DNS
	case errors.Is(ctx.Err(), context.Canceled):
		return Canceled
	case ctx.Err() != nil, isTimeout(err):
		return Timeout
	case errors.Is(err, syscall.ECONNREFUSED):
		return Refused
	case errors.Is(err, syscall.EHOSTUNREACH), errors.Is(err, syscall.ENETUNREACH), errors.Is(err, syscall.EADDRNOTAVAIL):
		return Unreachable
	case isTLS(err):
		return TLS
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE),
		errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return Reset
	}
	return Protocol
}

func isTimeout(err error) bool {
	var t net.Error
	return errors.As(err, &t) && t.Timeout()
}

func isTLS(err error) bool {
	var record tls.RecordHeaderError
	var alert tls.AlertError
	var untrusted *tls.CertificateVerificationError
	var name x509.HostnameError
	var op *net.OpError
	return errors.As(err, &record) || errors.As(err, &alert) || errors.As(err, &untrusted) || errors.As(err, &name) ||
		errors.Is(err, http.ErrSchemeMismatch) ||
		errors.As(err, &op) && op.Op == "remote error" || // how crypto/tls reports the peer's alert
		strings.HasPrefix(err.Error(), "tls: ")
}

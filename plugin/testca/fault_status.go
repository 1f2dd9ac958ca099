package testca

import "golang.org/x/crypto/ocsp"

// statusFaults are the OCSP statuses without content (RFC 6960, 4.2.1).
func statusFaults() []fault {
	one := func(name, does string, status ocsp.ResponseStatus) fault {
		return fault{Fault: Fault{Name: name, Group: "status", Does: does}, change: func(x *exchange) error {
			x.page = errorPage(status)
			return nil
		}}
	}
	return []fault{
		one("malformed-request", "says malformedRequest", ocsp.Malformed),
		one("internal-error", "says internalError", ocsp.InternalError),
		one("try-later", "says tryLater", ocsp.TryLater),
		one("sig-required", "says sigRequired: it wants signed requests", ocsp.SignatureRequired),
		one("unauthorized", "says unauthorized, as in the first minutes after issue", ocsp.Unauthorized),
		one("unknown-code", "says 9, a status that RFC 6960 does not know", 9),
		one("no-response-bytes", "says successful, and nothing more", ocsp.Success),
	}
}

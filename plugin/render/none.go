package render

import (
	"errors"
	"strings"
)

// ErrNone is what errors.Is finds in every [NoneError].
var ErrNone = errors.New("no verified staple")

// errAbsent is what a source without a response is reported with.
var errAbsent = errors.New("has no response")

// NoneError says that no source has a response that verifies.
type NoneError struct {
	// ID is the certificate's id.
	ID string
	// Reasons has an error for each source, in their order and with their
	// names; none where there were no sources.
	Reasons []error
}

// Error is one line.
func (e *NoneError) Error() string {
	s := ErrNone.Error() + " for certificate " + e.ID
	if len(e.Reasons) == 0 {
		return s
	}
	reasons := make([]string, len(e.Reasons))
	for i, r := range e.Reasons {
		reasons[i] = r.Error()
	}
	return s + ": " + strings.Join(reasons, "; ")
}

// Unwrap makes errors.Is and errors.As see the reasons.
func (e *NoneError) Unwrap() []error { return append([]error{ErrNone}, e.Reasons...) }

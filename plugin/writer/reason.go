package writer

import (
	"errors"
	"fmt"

	"github.com/consul-ocsp/consul-ocsp/plugin/staple"
)

// The words a State's Reason can hold besides those of package staple.
const (
	ReasonWaiting       = "waiting"        // no staple yet, nothing is wrong
	ReasonEnded         = "ended"          // the newest staple has ended; it was left in place
	ReasonIssuerUnknown = "issuer-unknown" // neither we nor HAProxy know the issuer
	ReasonIssuerFile    = "issuer-file"    // <path>.issuer holds something that we won't replace
	ReasonUntrusted     = "untrusted-path" // another user could turn the path elsewhere
	ReasonPath          = "path"           // the path leads nowhere
	ReasonOwner         = "owner"          // the existing file's owner or group can't be kept
	ReasonOlder         = "older"          // a candidate from before what is held
	ReasonWrite         = "write"          // the system refused to write
	ReasonBusy          = "busy"           // another process writes the same file
	ReasonStore         = "store"          // data_dir can't be read or written
	ReasonTarget        = "target"         // a target failed and gave no better word
	ReasonKept          = "revoked-kept"   // revoked, and the operator chose to keep the good staple
)

// Error is a failure with a word that logs, status and tests can name. Targets
// may return one too; its Reason is then shown beside the target.
type Error struct {
	Reason string
	Err    error
}

func (e *Error) Error() string { return e.Err.Error() }
func (e *Error) Unwrap() error { return e.Err }

func refuse(reason, format string, args ...any) error {
	return &Error{Reason: reason, Err: fmt.Errorf(format, args...)}
}

// ReasonOf returns the word for err: its *Error's, its staple.Refusal's, or "".
func ReasonOf(err error) string {
	var e *Error
	if errors.As(err, &e) {
		return e.Reason
	}
	return string(staple.ReasonOf(err))
}

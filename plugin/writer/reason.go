package writer

import (
	"errors"
	"fmt"

	"github.com/consul-ocsp/consul-ocsp/plugin/staple"
)

// The words a State's Reason can hold besides those of package staple. What each
// means is in [Reasons].
const (
	ReasonWaiting       = "waiting"
	ReasonEnded         = "ended"
	ReasonIssuerUnknown = "issuer-unknown"
	ReasonIssuerFile    = "issuer-file"
	ReasonUntrusted     = "untrusted-path"
	ReasonPath          = "path"
	ReasonOwner         = "owner"
	ReasonOlder         = "older"
	ReasonWrite         = "write"
	ReasonBusy          = "busy"
	ReasonStore         = "store"
	ReasonTarget        = "target"
	ReasonExec          = "exec"
	ReasonTimeout       = "timeout"
	ReasonTest          = "test"   // the server's own test says that it would not load its files
	ReasonReload        = "reload" // the server's reload failed
	ReasonShared        = "shared" // the server has one staple for several certificates
	ReasonKept          = "revoked-kept"
	ReasonPlaceholder   = "placeholder"
)

// ReasonMeaning explains one reason in one line.
type ReasonMeaning struct{ Reason, Meaning string }

// Reasons returns the reasons that are this package's own.
func Reasons() []ReasonMeaning {
	return []ReasonMeaning{
		{ReasonWaiting, "no staple yet, nothing is wrong"},
		{ReasonEnded, "the newest staple has ended; it was left in place"},
		{ReasonIssuerUnknown, "neither we nor HAProxy know the issuer"},
		{ReasonIssuerFile, "<path>.issuer holds something that is not ours to replace"},
		{ReasonUntrusted, "another user could turn the path elsewhere"},
		{ReasonPath, "the path leads nowhere"},
		{ReasonOwner, "the existing file's owner or group can't be kept"},
		{ReasonOlder, "a candidate from before what is held"},
		{ReasonWrite, "the system refused to write"},
		{ReasonBusy, "another process writes the same file"},
		{ReasonStore, "data_dir can't be read or written"},
		{ReasonTarget, "a target failed and gave no better word"},
		{ReasonExec, "the command of a deliver block failed"},
		{ReasonTimeout, "the command of a deliver block took too long"},
		{ReasonTest, "the server's own test says that it would not load its files"},
		{ReasonReload, "the server's reload failed"},
		{ReasonShared, "the server has one staple for several certificates"},
		{ReasonPlaceholder, "an empty file would keep HAProxy from starting, and is not written"},
		{ReasonKept, "revoked, and the operator chose to keep the good staple"},
	}
}

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

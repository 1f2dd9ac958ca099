package haproxy

import (
	"errors"
	"fmt"
	"strings"
)

// Kind says in one word what went wrong, for logs, metrics and decisions.
type Kind string

// What each means is in [Kinds].
const (
	KindSocket          Kind = "socket"
	KindPermission      Kind = "permission"
	KindTimeout         Kind = "timeout"
	KindLock            Kind = "lock"
	KindNotHAProxy      Kind = "not-haproxy"
	KindUnsupported     Kind = "unsupported"
	KindRefused         Kind = "declined"
	KindNotRegistered   Kind = "not-registered"
	KindNotServed       Kind = "not-served"
	KindNoIssuer        Kind = "no-issuer"
	KindTooLarge        Kind = "too-large"
	KindShortLived      Kind = "short-lived"
	KindTransactionBusy Kind = "transaction-busy"
	KindReloadFailed    Kind = "reload-failed"
	KindNoReload        Kind = "no-reload"
	KindReloadWaits     Kind = "reload-waits"
	KindRestarting      Kind = "restarting"
)

// KindMeaning explains one Kind in one line.
type KindMeaning struct {
	Kind    Kind
	Meaning string
}

// Kinds returns every Kind with its meaning.
func Kinds() []KindMeaning {
	return []KindMeaning{
		{KindSocket, "no connection, or it ended without an answer"},
		{KindPermission, "file rights, or the socket's level"},
		{KindTimeout, "no whole answer in time"},
		{KindLock, "the lock file could not be had"},
		{KindNotHAProxy, "somebody else answers there"},
		{KindUnsupported, "HAProxy is too old to show what it holds"},
		{KindRefused, "HAProxy says no, or holds something else afterwards"},
		{KindNotRegistered, "the certificate is served, but takes no response at run time"},
		{KindNotServed, "HAProxy has no certificate with this fingerprint"},
		{KindNoIssuer, "HAProxy does not know the certificate's issuer"},
		{KindTooLarge, "the response does not fit a command"},
		{KindShortLived, "the response ends too soon for HAProxy"},
		{KindTransactionBusy, "somebody else's \"set ssl cert\" is not committed yet"},
		{KindReloadFailed, "the reload did not bring a new worker"},
		{KindNoReload, "there is no way to reload"},
		{KindReloadWaits, "a reload would help, and has to wait: for min_interval, for other nodes, or since one of them failed"},
		{KindRestarting, "the worker changed again and again while pushing"},
	}
}

// Error is the only kind of error that this package returns. It names the
// socket and says what to do about it.
type Error struct {
	Kind    Kind
	Socket  string
	Command string // without its payload; empty when no command was sent
	Detail  string
	Err     error
}

func (e *Error) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "haproxy %s: ", e.Socket)
	if e.Command != "" {
		fmt.Fprintf(&b, "%s: ", e.Command)
	}
	b.WriteString(e.Detail)
	if e.Err != nil {
		if e.Detail != "" {
			b.WriteString(": ")
		}
		b.WriteString(e.Err.Error())
	}
	return b.String()
}

func (e *Error) Unwrap() error { return e.Err }

// NeedsReload says whether a reload can cure what a push could not: HAProxy
// then reads certificate, issuer and response from their files.
func (e *Error) NeedsReload() bool {
	switch e.Kind {
	case KindNotRegistered, KindNotServed, KindNoIssuer, KindTooLarge:
		return true
	}
	return false
}

// KindOf returns the Kind of an error of this package, and "" for any other.
func KindOf(err error) Kind {
	var e *Error
	if errors.As(err, &e) {
		return e.Kind
	}
	return ""
}

func (c *Client) fail(kind Kind, command, format string, args ...any) *Error {
	return &Error{Kind: kind, Socket: c.config.Socket, Command: command, Detail: fmt.Sprintf(format, args...)}
}

// answerError turns an answer that is no success into an error. HAProxy has
// no error codes: its words are all there is.
func (c *Client) answerError(command, answer string) *Error {
	said := firstLine(answer)
	switch {
	case strings.Contains(answer, "Permission denied"):
		return c.fail(KindPermission, command, "HAProxy says %q: this socket needs \"level admin\" on its \"stats socket\" line", said)
	case strings.Contains(answer, "Can't allocate memory!"):
		// What 2.6 says to "show ssl cert" below level operator.
		return c.fail(KindPermission, command, "HAProxy says %q, which below level operator means \"not allowed\": this socket needs \"level admin\"", said)
	case strings.Contains(answer, "ongoing transaction is about"):
		return c.fail(KindTransactionBusy, command, "HAProxy says %q: wait until it is committed, or end it with \"abort ssl cert\"", said)
	case strings.Contains(answer, "impossible to compute the OCSP certificate ID"):
		return c.fail(KindNoIssuer, command, "HAProxy does not know the certificate's issuer: put it into the PEM, or beside it as <path>.issuer")
	case strings.Contains(answer, "not match any certificate"):
		return c.fail(KindNotRegistered, command, "HAProxy says %q", said)
	case strings.Contains(answer, "too big"):
		return c.fail(KindTooLarge, command, "HAProxy says %q", said)
	case strings.Contains(answer, "Can't find the target PID"):
		return c.fail(KindSocket, command, "the master has no worker: HAProxy says %q", said)
	}
	return c.fail(KindRefused, command, "HAProxy says %q", said)
}

// firstLine returns the first line that says something, short enough for a log.
func firstLine(answer string) string {
	for line := range strings.Lines(answer) {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "Committing ") {
			continue
		}
		return shorten(line, 200)
	}
	return ""
}

// shorten cuts a text of foreign origin and drops what is not printable.
func shorten(s string, most int) string {
	s = strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || r == '\uFFFD' {
			return -1
		}
		return r
	}, s)
	if len(s) > most {
		s = strings.ToValidUTF8(s[:most], "") + "…"
	}
	return s
}

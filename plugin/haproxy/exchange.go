package haproxy

import (
	"cmp"
	"context"
	"errors"
	"io"
	"io/fs"
	"net"
	"os"
	"strings"
	"sync"
	"syscall"
	"time"
)

const (
	// MaxCommand is the longest command, payload included, in bytes. HAProxy
	// 2.6 hangs without an answer from about 15,200 on (tune.bufsize 16384
	// less what it keeps free).
	MaxCommand = 15000
	// maxAnswer bounds what is read: room for the names of 100,000 certificates.
	maxAnswer = 16 << 20
)

// exchange sends one command on a connection of its own and reads until
// HAProxy closes it. A worker does so after one command, a master only when
// its client sends no more. name is for errors.
func (c *Client) exchange(ctx context.Context, command, name string) (string, error) {
	return c.exchangeWithin(ctx, c.config.Timeout, command, name)
}

func (c *Client) exchangeWithin(ctx context.Context, timeout time.Duration, command, name string) (string, error) {
	if err := c.sendable(command, name); err != nil {
		return "", err
	}
	return c.transact(ctx, timeout, command, name)
}

// sendable refuses what HAProxy would not take as one command.
func (c *Client) sendable(command, name string) error {
	if len(command)+1 > MaxCommand {
		return c.fail(KindTooLarge, name, "the command has %d bytes, HAProxy takes %d: only a reload can bring it in", len(command)+1, MaxCommand)
	}
	return nil
}

// transact sends text, one command or several, and reads until HAProxy closes.
func (c *Client) transact(ctx context.Context, timeout time.Duration, text, name string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	network, address := splitSocket(c.config.Socket)
	var d net.Dialer
	conn, err := d.DialContext(ctx, network, address)
	if err != nil {
		return "", c.connectError(ctx, timeout, name, err)
	}
	defer conn.Close()
	// Ends the exchange when ctx does; runs at most once, and not after stop.
	stop := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	var writeErr error
	var writing sync.WaitGroup
	// Ends with the deadline below at the latest. HAProxy takes no more commands
	// while nobody reads its answers.
	writing.Go(func() {
		_, writeErr = io.WriteString(conn, text+"\n")
		if half, ok := conn.(interface{ CloseWrite() error }); ok && writeErr == nil {
			writeErr = half.CloseWrite()
		}
	})
	// An answer may have come before the write failed, and it says more.
	answer, err := io.ReadAll(io.LimitReader(conn, maxAnswer+1))
	_ = conn.SetWriteDeadline(time.Unix(1, 0))
	writing.Wait()
	if len(answer) > maxAnswer {
		return "", c.fail(KindNotHAProxy, name, "the answer is longer than %d bytes", maxAnswer)
	}
	if err != nil && (ctx.Err() != nil || errors.Is(err, os.ErrDeadlineExceeded)) {
		return "", c.timeoutError(ctx, timeout, name)
	}
	if len(answer) == 0 {
		if err == nil && !errors.Is(writeErr, os.ErrDeadlineExceeded) {
			err = writeErr
		}
		return "", &Error{Kind: KindSocket, Socket: c.config.Socket, Command: name,
			Detail: "the connection ended without an answer; is HAProxy stopping?", Err: cmp.Or(err, io.ErrUnexpectedEOF)}
	}
	return string(answer), nil
}

// splitSocket tells a path from host:port. HAProxy's own address prefixes are
// understood, so that a "stats socket" line can be copied.
func splitSocket(s string) (network, address string) {
	for _, p := range []struct{ prefix, network string }{
		{"unix@", "unix"}, {"ipv4@", "tcp4"}, {"ipv6@", "tcp6"},
	} {
		if rest, ok := strings.CutPrefix(s, p.prefix); ok {
			return p.network, rest
		}
	}
	if !strings.Contains(s, "/") && strings.Contains(s, ":") {
		return "tcp", s
	}
	return "unix", s
}

func (c *Client) connectError(ctx context.Context, timeout time.Duration, name string, err error) *Error {
	e := &Error{Kind: KindSocket, Socket: c.config.Socket, Command: name, Err: err}
	switch {
	case ctx.Err() != nil, errors.Is(err, os.ErrDeadlineExceeded):
		return c.timeoutError(ctx, timeout, name)
	case errors.Is(err, fs.ErrNotExist):
		e.Detail = "no such socket; is HAProxy running, and is this the path on its \"stats socket\" line?"
	case errors.Is(err, os.ErrPermission):
		e.Kind = KindPermission
		e.Detail = "may not connect; give the socket this user's group (\"stats socket … group … mode 660 level admin\")"
	case errors.Is(err, syscall.ECONNREFUSED):
		e.Detail = "nobody listens; is HAProxy running?"
	default:
		e.Detail = "cannot connect"
	}
	return e
}

func (c *Client) timeoutError(ctx context.Context, timeout time.Duration, name string) *Error {
	err := ctx.Err()
	if err == nil {
		err = context.DeadlineExceeded // the connection's clock was a moment faster
	}
	if errors.Is(err, context.Canceled) {
		return &Error{Kind: KindTimeout, Socket: c.config.Socket, Command: name, Detail: "stopped", Err: err}
	}
	return &Error{Kind: KindTimeout, Socket: c.config.Socket, Command: name,
		Detail: "no whole answer within " + timeout.String() + "; HAProxy may be stuck, or this is not its socket", Err: err}
}

// Package listener serves HTTP where an agent's job file says, with bounds for
// whoever asks: so many connections at a time, so much time for each request.
package listener

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io/fs"
	"log"
	"net"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/hashicorp/go-hclog"
	"golang.org/x/net/netutil"
)

const (
	// maxConnections are served at a time; more wait. Idle ones make room before.
	maxConnections = 4096
	maxHeader      = 32 << 10
	// idleTimeout bounds the wait for the next request of a connection,
	// stopTimeout what goes on when the server ends.
	idleTimeout = time.Minute
	stopTimeout = time.Second
)

// Options say how to serve.
type Options struct {
	// Address is host:port or unix:///absolute/path. A unix socket of a process
	// that is gone is replaced; everybody may connect to it, as to a port.
	Address string
	Handler http.Handler
	// TLS, unless nil, is spoken.
	TLS *tls.Config
	// ReadTimeout bounds a request, WriteTimeout the answer with what it takes to
	// find it.
	ReadTimeout, WriteTimeout time.Duration
	Logger                    hclog.Logger
}

// Serve answers until ctx ends; the error is then nil. Any other is one of
// listening.
func Serve(ctx context.Context, o Options) error {
	l, err := listen(o.Address)
	if err != nil {
		return err
	}
	o.Logger.Info("listening", "address", l.Addr().String(), "tls", o.TLS != nil)
	l = netutil.LimitListener(l, maxConnections)
	if o.TLS != nil {
		l = tls.NewListener(l, o.TLS)
	}
	connections := idlers{idle: map[net.Conn]bool{}}
	server := &http.Server{
		ConnState: connections.state,
		Handler:   o.Handler, ReadHeaderTimeout: o.ReadTimeout, ReadTimeout: o.ReadTimeout, WriteTimeout: o.WriteTimeout,
		IdleTimeout: idleTimeout, MaxHeaderBytes: maxHeader, ErrorLog: log.New(quiet{o.Logger}, "", 0),
	}
	done := make(chan struct{})
	go func() { // ends with ctx
		defer close(done)
		<-ctx.Done()
		// What has begun ends; nobody is waited for longer.
		stopping, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopTimeout)
		defer cancel()
		if server.Shutdown(stopping) != nil {
			server.Close()
		}
	}()
	err = server.Serve(l)
	if errors.Is(err, http.ErrServerClosed) {
		<-done
		return nil
	}
	return err
}

// retry is how long an address that can't be listened on is left alone.
const retry = 10 * time.Second

// Keep serves until ctx ends. An address that can't be had is complained of and
// tried again.
func Keep(ctx context.Context, o Options) {
	for ctx.Err() == nil {
		err := Serve(ctx, o)
		if ctx.Err() != nil {
			return
		}
		o.Logger.Error("nobody can be answered; the rest goes on", "address", o.Address, "error", err)
		select {
		case <-time.After(retry):
		case <-ctx.Done():
		}
	}
}

// quiet takes what the HTTP server has to say of single connections: a matter of
// whoever asks.
type quiet struct{ hclog.Logger }

func (q quiet) Write(b []byte) (int, error) {
	q.Debug("connection", "error", strings.TrimSpace(string(b)))
	return len(b), nil
}

func listen(address string) (net.Listener, error) {
	path, unix := strings.CutPrefix(address, "unix://")
	if !unix {
		return net.Listen("tcp", address)
	}
	if conn, err := net.DialTimeout("unix", path, time.Second); err == nil {
		conn.Close()
		return nil, fmt.Errorf("%s: another process answers there", path)
	}
	if info, err := os.Lstat(path); err == nil && info.Mode().Type() != fs.ModeSocket {
		return nil, fmt.Errorf("%s is there and is no socket", path)
	} else if err == nil {
		if err := os.Remove(path); err != nil {
			return nil, err
		}
	}
	l, err := net.Listen("unix", path)
	if err != nil {
		return nil, err
	}
	if err := os.Chmod(path, 0o666); err != nil {
		l.Close()
		return nil, err
	}
	return l, nil
}

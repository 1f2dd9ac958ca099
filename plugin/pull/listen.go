package pull

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log"
	"net"
	"net/http"
	"os"
	"strings"
	"time"

	"golang.org/x/net/netutil"
)

const (
	// maxConnections are served at a time; more wait.
	maxConnections = 4096
	// askTimeout bounds one request, idleTimeout the wait for the next one of a
	// connection, stopTimeout what goes on when the server ends.
	askTimeout  = 5 * time.Second
	idleTimeout = time.Minute
	stopTimeout = time.Second
)

// Serve answers at an address, host:port or unix:///path, until ctx ends. An
// error is one of listening.
func (a *Answerer) Serve(ctx context.Context, address string) error {
	listener, err := listen(address)
	if err != nil {
		return err
	}
	server := &http.Server{
		Handler: a, ReadHeaderTimeout: askTimeout, ReadTimeout: askTimeout, WriteTimeout: askTimeout, IdleTimeout: idleTimeout,
		MaxHeaderBytes: 32 << 10,
		ErrorLog:       log.New(quiet{a}, "", 0),
	}
	done := make(chan struct{})
	go func() { // ends with ctx, or when Serve fails
		defer close(done)
		<-ctx.Done()
		// What has begun ends; nobody is waited for longer.
		stopping, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopTimeout)
		defer cancel()
		if server.Shutdown(stopping) != nil {
			server.Close()
		}
	}()
	a.logger.Info("answers OCSP requests", "address", listener.Addr().String())
	err = server.Serve(netutil.LimitListener(listener, maxConnections))
	if errors.Is(err, http.ErrServerClosed) {
		<-done
		return nil
	}
	return err
}

// quiet takes what the HTTP server has to say of single connections: a matter of
// whoever asks.
type quiet struct{ a *Answerer }

func (q quiet) Write(b []byte) (int, error) {
	q.a.logger.Debug("connection", "error", strings.TrimSpace(string(b)))
	return len(b), nil
}

// listen listens. A unix socket of a process that is gone is replaced; everybody
// may ask there, as everybody may at a port.
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
	listener, err := net.Listen("unix", path)
	if err != nil {
		return nil, err
	}
	if err := os.Chmod(path, 0o666); err != nil {
		listener.Close()
		return nil, err
	}
	return listener, nil
}

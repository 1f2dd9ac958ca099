package testca

import (
	"context"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"time"
)

// Serve answers on l until ctx ends, and then gives nil once open requests are
// answered, after two seconds at the latest. It closes l. A wrong o.Fault is an
// error at once.
func (c *CA) Serve(ctx context.Context, l net.Listener, o ResponderOptions) error {
	fault, _, err := parseFault(o.Fault)
	if err == nil && fault.listen != nil {
		l, err = fault.listen(c, l)
	}
	if err != nil {
		return errors.Join(err, l.Close())
	}
	server := &http.Server{
		Handler:           c.Responder(o),
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       10 * time.Second,
		WriteTimeout:      10 * time.Second,
		IdleTimeout:       time.Minute,
		MaxHeaderBytes:    2 * maxRequest,
		ErrorLog:          log.New(io.Discard, "", 0),
		// What a fault makes hang ends with ctx.
		BaseContext: func(net.Listener) context.Context { return ctx },
	}
	failed := make(chan error, 1)
	// Ends when the server is shut down below, or by itself when l fails.
	go func() { failed <- server.Serve(l) }()
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
	}
	ending, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
	defer cancel()
	if err := server.Shutdown(ending); err != nil {
		server.Close()
	}
	if err := <-failed; !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

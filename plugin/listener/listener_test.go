package listener_test

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/consul-ocsp/consul-ocsp/plugin/listener"
)

func options(address string) listener.Options {
	return listener.Options{
		Address: address, ReadTimeout: time.Minute, WriteTimeout: time.Minute, Logger: hclog.NewNullLogger(),
		Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("hello")) }),
	}
}

// dial connects as soon as somebody listens.
func dial(t *testing.T, socket string) net.Conn {
	t.Helper()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for range 1000 {
		if conn, err := net.Dial("unix", socket); err == nil {
			return conn
		}
		<-tick.C
	}
	t.Fatal("nobody listens")
	return nil
}

// Serve ends with its context, also while somebody asks slowly, and replaces the
// socket of a process that is gone, but none that is in use and nothing else.
func TestServe(t *testing.T) {
	dir := t.TempDir()
	socket := filepath.Join(dir, "s")
	for range 2 {
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- listener.Serve(ctx, options("unix://"+socket)) }() // ends with ctx
		quick, slow := dial(t, socket), dial(t, socket)
		if _, err := quick.Write([]byte("GET / HTTP/1.1\r\nHost: x\r\n\r\n")); err != nil {
			t.Fatal(err)
		}
		if r, err := http.ReadResponse(bufio.NewReader(quick), nil); err != nil || r.StatusCode != http.StatusOK {
			t.Errorf("%v: %v", r, err)
		}
		if _, err := slow.Write([]byte("GET /MA")); err != nil {
			t.Fatal(err)
		}
		if err := listener.Serve(t.Context(), options("unix://"+socket)); err == nil {
			t.Error("two listen at one socket")
		}
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
		quick.Close()
		slow.Close()
	}
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := listener.Serve(t.Context(), options("unix://"+file)); err == nil || !strings.Contains(err.Error(), "no socket") {
		t.Errorf("a file in the place of the socket: %v", err)
	}
}

// Whoever holds open all connections that there may be, without a request, keeps
// nobody from an answer.
func TestIdleConnectionsMakeRoom(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "s")
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- listener.Serve(ctx, options("unix://"+socket)) }() // ends with ctx
	dial(t, socket).Close()
	for i := range 5000 {
		conn, err := net.Dial("unix", socket)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		_ = conn.SetDeadline(time.Now().Add(30 * time.Second))
		if _, err := conn.Write([]byte("GET / HTTP/1.1\r\nHost: x\r\n\r\n")); err != nil {
			t.Fatal(err)
		}
		r, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil || r.StatusCode != http.StatusOK {
			t.Fatalf("connection %d: %v", i, err)
		}
		r.Body.Close()
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// More than are served at a time ask for much and read nothing of it: they keep
// nobody from an answer for longer than one may take.
func TestSlowReaders(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "s")
	o := options("unix://" + socket)
	much := make([]byte, 8<<20)
	o.Handler = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(much) })
	o.WriteTimeout = time.Second
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- listener.Serve(ctx, o) }() // ends with ctx
	ask := func() net.Conn {
		conn := dial(t, socket)
		t.Cleanup(func() { conn.Close() })
		if _, err := conn.Write([]byte("GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")); err != nil {
			t.Fatal(err)
		}
		return conn
	}
	for range 4500 {
		ask()
	}
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for tries := 0; ; tries++ { // a reader may be slow too, where the machine is
		r, err := http.ReadResponse(bufio.NewReader(ask()), nil)
		if err == nil {
			n, err := io.Copy(io.Discard, r.Body)
			if r.Body.Close(); err == nil && n == int64(len(much)) {
				break
			}
		}
		if tries == 100 {
			t.Fatalf("nobody is answered: %v", err)
		}
		<-tick.C
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

package consul

import (
	"bytes"
	"context"
	"encoding/base64"
	"io"
	"net"
	"net/http"
	"sync/atomic"
	"testing"

	"github.com/hashicorp/consul/api"
)

// traffic is what went over a client's connections, headers and all.
type traffic struct {
	bytes    atomic.Int64 // both ways
	requests atomic.Int64
	heads    atomic.Int64 // requests for head
	txns     atomic.Int64
	puts     atomic.Int64 // of single keys
	// conflicts are the transactions that Consul rolled back.
	conflicts atomic.Int64
}

// reading is a traffic at one moment.
type reading struct{ bytes, requests, heads, txns, conflicts int64 }

func (t *traffic) read() reading {
	return reading{t.bytes.Load(), t.requests.Load(), t.heads.Load(), t.txns.Load(), t.conflicts.Load()}
}

// since is what came to t after r was read.
func (t *traffic) since(r reading) reading {
	now := t.read()
	return reading{now.bytes - r.bytes, now.requests - r.requests, now.heads - r.heads, now.txns - r.txns, now.conflicts - r.conflicts}
}

// plus is r and other together.
func (r reading) plus(other reading) reading {
	return reading{r.bytes + other.bytes, r.requests + other.requests, r.heads + other.heads, r.txns + other.txns, r.conflicts + other.conflicts}
}

// counted makes base count what goes over its connections. It must not have
// any yet.
func counted(base *http.Transport) *traffic {
	t := &traffic{}
	dial := base.DialContext
	if dial == nil {
		dial = (&net.Dialer{}).DialContext
	}
	base.DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := dial(ctx, network, address)
		if err != nil {
			return nil, err
		}
		return &countedConn{Conn: conn, t: t}, nil
	}
	return t
}

type countedConn struct {
	net.Conn
	t *traffic
}

// Read sees an answer's first line at the beginning of a read, for the same
// reason as Write.
func (c *countedConn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	if bytes.HasPrefix(b[:n], []byte("HTTP/1.1 409 ")) {
		c.t.conflicts.Add(1)
	}
	c.t.bytes.Add(int64(n))
	return n, err
}

// Write sees a request's first line at the beginning of a write: a client
// sends no request before the answer to the one before.
func (c *countedConn) Write(b []byte) (int, error) {
	line, _, _ := bytes.Cut(b[:min(len(b), 2048)], []byte("\r\n"))
	if bytes.HasSuffix(line, []byte(" HTTP/1.1")) {
		c.t.requests.Add(1)
		switch {
		case bytes.Contains(line, []byte("/v1/head?")), bytes.Contains(line, []byte("/v1/head ")):
			c.t.heads.Add(1)
		case bytes.Contains(line, []byte("/v1/txn")):
			c.t.txns.Add(1)
		case bytes.HasPrefix(line, []byte("PUT /v1/kv/")):
			c.t.puts.Add(1)
		}
	}
	n, err := c.Conn.Write(b)
	c.t.bytes.Add(int64(n))
	return n, err
}

// countedClient is a client as a program makes it, with its traffic.
func countedClient(t testing.TB, config Config) (*Client, *traffic) {
	t.Helper()
	c, err := New(config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c, counted(c.base)
}

// countedAPI is Consul's own client, with its traffic.
func countedAPI(t testing.TB, address, token string) (*api.Client, *traffic) {
	t.Helper()
	base := &http.Transport{}
	t.Cleanup(base.CloseIdleConnections)
	c, err := api.NewClient(&api.Config{Address: address, Scheme: "http", Token: token, HttpClient: &http.Client{Transport: base}})
	if err != nil {
		t.Fatal(err)
	}
	return c, counted(base)
}

// counting is the address of a server that counts what goes through it.
func (s *scene) counting(b *testing.B, t *traffic) string {
	b.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { listener.Close() })
	go func() { // ends with the listener
		for {
			in, err := listener.Accept()
			if err != nil {
				return
			}
			out, err := net.Dial("tcp", s.server.Address())
			if err != nil {
				in.Close()
				return
			}
			both := func(to, from net.Conn) {
				_, _ = io.Copy(to, &countedConn{Conn: from, t: t})
				to.Close()
				from.Close()
			}
			go both(in, out) // both end with their connections
			go both(out, in)
		}
	}()
	return listener.Addr().String()
}

func encoded(b []byte) string { return base64.StdEncoding.EncodeToString(b) }

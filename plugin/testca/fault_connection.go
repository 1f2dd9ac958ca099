package testca

import (
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"sync"
	"time"
)

// connectionFaults are those in which no answer comes at all.
func connectionFaults() []fault {
	one := func(name, does string, send func(*exchange)) fault {
		return fault{Fault: Fault{Name: name, Group: "transport", Does: does}, send: send}
	}
	listen := func(name, does, issue string, listen func(*CA, net.Listener) (net.Listener, error)) fault {
		return fault{Fault: Fault{Name: name, Group: "transport", Does: does, Issue: issue}, listen: listen}
	}
	return []fault{
		listen("refused", "closes its port: connections are refused", "", refuse),
		one("reset", "resets the connection (RST) once it has the request", sendReset),
		one("closed", "closes the connection without an answer", sendNothing),
		one("silent", "takes the request and never answers", sendNever),
		listen("tls-alert", "breaks off every TLS handshake with an alert", "-responder=https://ADDRESS", alert),
		listen("tls-untrusted", "speaks TLS with a certificate that nobody trusts", "-responder=https://ADDRESS", distrust),
	}
}

// patient takes away the server's time limits, which are for good manners.
func patient(x *exchange) {
	c := http.NewResponseController(x.w)
	// A connection without deadlines needs none taken away.
	_ = c.SetReadDeadline(time.Time{})
	_ = c.SetWriteDeadline(time.Time{})
}

func sendReset(x *exchange) {
	conn, _, err := http.NewResponseController(x.w).Hijack()
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	if tcp, ok := conn.(*net.TCPConn); ok {
		// Without lingering a close is an RST.
		_ = tcp.SetLinger(0)
	}
	conn.Close()
}

// sendNothing: the server closes the connection of a handler that ends so.
func sendNothing(*exchange) { panic(http.ErrAbortHandler) }

func sendNever(x *exchange) {
	patient(x)
	<-x.req.Context().Done() // the client gives up, or Serve ends
	panic(http.ErrAbortHandler)
}

// refuse closes the port, while Serve goes on until its context ends.
func refuse(_ *CA, l net.Listener) (net.Listener, error) {
	return &closedPort{Listener: l, closed: make(chan struct{})}, l.Close()
}

// closedPort is a listener whose port is closed, but which is not.
type closedPort struct {
	net.Listener
	once   sync.Once
	closed chan struct{}
}

func (c *closedPort) Accept() (net.Conn, error) {
	<-c.closed
	return nil, net.ErrClosed
}

func (c *closedPort) Close() error {
	c.once.Do(func() { close(c.closed) })
	return nil
}

func alert(_ *CA, l net.Listener) (net.Listener, error) {
	return tls.NewListener(l, &tls.Config{
		MinVersion: tls.VersionTLS12,
		// crypto/tls says "internal error" to the client.
		GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) { return nil, errors.New("no handshake") },
	}), nil
}

func distrust(c *CA, l net.Listener) (net.Listener, error) {
	own, err := newStranger("an untrusted server", c.now)
	if err != nil {
		return nil, err
	}
	return tls.NewListener(l, &tls.Config{
		MinVersion:   tls.VersionTLS12,
		Certificates: []tls.Certificate{{Certificate: [][]byte{own.Leaf.Raw}, PrivateKey: own.Key}},
	}), nil
}

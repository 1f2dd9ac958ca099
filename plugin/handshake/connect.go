// Package handshake is what a TLS client gets from a server: the certificate,
// and the OCSP response that was stapled to it (RFC 6066 section 8), verified.
//
// It judges the staple, and the server's chain only where roots are given: the
// question is what is stapled, not whether the client should go on.
package handshake

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/consul-ocsp/consul-ocsp/plugin/staple"
)

// Options say whom to ask, and for what.
type Options struct {
	// Address is host:port.
	Address string
	// ServerName is sent as SNI; empty: the address's host.
	ServerName string
	// RootCAs, if set, are what the server's chain must end in.
	RootCAs *x509.CertPool
	// Issuer is used where the server does not send the leaf's issuer.
	Issuer *x509.Certificate
	// KeyType is "rsa" or "ecdsa" for servers that have both; TLS 1.2 is spoken
	// then, whose cipher suites say it. Empty: whatever the server prefers.
	KeyType string
	// Timeout is for connection and handshake together; 0: 10 s.
	Timeout time.Duration
	// Now is when the staple is judged; zero: the present.
	Now time.Time
	// AllowSHA1Signatures and TrustedResponders are as in staple.Options.
	AllowSHA1Signatures bool
	TrustedResponders   []*x509.Certificate
}

// Result is what the client got.
type Result struct {
	// Staple is the response as it came; empty: none was stapled.
	Staple []byte
	// Leaf is the server's certificate, Issuer its issuer; nil where neither
	// the server nor the options have it.
	Leaf, Issuer *x509.Certificate
	// Facts are set when the staple was verified, Refusal when it was refused.
	Facts   *staple.Facts
	Refusal error
	// MustStaple: the certificate demands a staple (RFC 7633).
	MustStaple bool
	// Version and Cipher are those of the connection.
	Version, Cipher string
}

const defaultTimeout = 10 * time.Second

// Connect makes one handshake and ends it. The error is for connections that
// could not be made, among them a chain that does not verify; a missing or a
// refused staple is a Result.
func Connect(ctx context.Context, o Options) (*Result, error) {
	if o.Now.IsZero() {
		o.Now = time.Now()
	}
	if o.Timeout <= 0 {
		o.Timeout = defaultTimeout
	}
	config, err := clientConfig(o)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, o.Timeout)
	defer cancel()
	conn, err := (&tls.Dialer{Config: config}).DialContext(ctx, "tcp", o.Address)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", o.Address, err)
	}
	defer conn.Close()
	state := conn.(*tls.Conn).ConnectionState()
	return judge(o, state), nil
}

func clientConfig(o Options) (*tls.Config, error) {
	name := o.ServerName
	if name == "" {
		host, _, err := net.SplitHostPort(o.Address)
		if err != nil {
			return nil, fmt.Errorf("%q is not host:port", o.Address)
		}
		name = host
	}
	config := &tls.Config{
		ServerName: name, RootCAs: o.RootCAs, MinVersion: tls.VersionTLS12,
		// Without roots the chain is not what is asked about.
		InsecureSkipVerify: o.RootCAs == nil,
		Time:               func() time.Time { return o.Now },
	}
	switch o.KeyType {
	case "":
	case "rsa", "ecdsa":
		config.MaxVersion = tls.VersionTLS12
		config.CipherSuites = suites(o.KeyType)
	default:
		return nil, fmt.Errorf("key type %q is neither rsa nor ecdsa", o.KeyType)
	}
	return config, nil
}

// suites are the cipher suites of TLS 1.2 whose key exchange is signed by a key
// of this type.
func suites(keyType string) []uint16 {
	if keyType == "rsa" {
		return []uint16{
			tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256, tls.TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
			tls.TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
		}
	}
	return []uint16{
		tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, tls.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
		tls.TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
	}
}

func judge(o Options, state tls.ConnectionState) *Result {
	r := &Result{
		Staple: state.OCSPResponse, Leaf: state.PeerCertificates[0],
		Version: tls.VersionName(state.Version), Cipher: tls.CipherSuiteName(state.CipherSuite),
	}
	r.MustStaple = staple.MustStaple(r.Leaf)
	r.Issuer = staple.FindIssuer(r.Leaf, candidates(o, state))
	switch {
	case len(r.Staple) == 0:
	case r.Issuer == nil:
		r.Refusal = errNoIssuer
	default:
		r.Facts, r.Refusal = staple.Verify(r.Staple, r.Leaf, r.Issuer, staple.Options{
			Now: o.Now, AllowSHA1Signatures: o.AllowSHA1Signatures, TrustedResponders: o.TrustedResponders,
		})
	}
	return r
}

var errNoIssuer = errors.New("the server does not send the issuer of its certificate: the staple can't be verified")

// candidates are the certificates that may be the leaf's issuer: what the
// server sent, what its chain was verified with, and what the caller has.
func candidates(o Options, state tls.ConnectionState) []*x509.Certificate {
	list := append([]*x509.Certificate(nil), state.PeerCertificates[1:]...)
	for _, chain := range state.VerifiedChains {
		list = append(list, chain...)
	}
	if o.Issuer != nil {
		list = append(list, o.Issuer)
	}
	return list
}

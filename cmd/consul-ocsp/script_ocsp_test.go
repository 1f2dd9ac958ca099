package main

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/consul-ocsp/consul-ocsp/plugin/testca"
)

// cmdOCSP is "ocsp [flags] DIR CERTIFICATE FILE": the CA in DIR signs any
// response for the certificate, lawful or not, and FILE gets its DER.
func cmdOCSP(ts *testscript.TestScript, neg bool, args []string) {
	flags := flag.NewFlagSet("ocsp", flag.ContinueOnError)
	status := flags.String("status", "good", "")
	age := flags.Duration("age", time.Minute, "thisUpdate is so long ago")
	left := flags.Duration("left", time.Hour, "nextUpdate is so far ahead; 0: there is none")
	broken := flags.Bool("broken", false, "the signature is wrong")
	asPEM := flags.Bool("pem", false, "FILE gets PEM")
	ts.Check(flags.Parse(args))
	code, ok := map[string]int{"good": 0, "revoked": 1, "unknown": 2}[*status]
	if neg || !ok || flags.NArg() != 3 {
		ts.Fatalf("usage: ocsp [-status=good|revoked|unknown] [-age=D] [-left=D] [-broken] [-pem] dir certificate file")
	}
	ca, err := testca.Open(ts.MkAbs(flags.Arg(0)))
	ts.Check(err)
	block, _ := pem.Decode([]byte(ts.ReadFile(flags.Arg(1))))
	if block == nil {
		ts.Fatalf("%s: no PEM", flags.Arg(1))
	}
	leaf, err := x509.ParseCertificate(block.Bytes)
	ts.Check(err)
	now := time.Now()
	answer := testca.Answer{Status: code, Serial: leaf.SerialNumber, ThisUpdate: now.Add(-*age), BadSignature: *broken}
	if *left != 0 {
		answer.NextUpdate = now.Add(*left)
	}
	der, err := ca.Respond(answer)
	ts.Check(err)
	if *asPEM {
		der = pem.EncodeToMemory(&pem.Block{Type: "OCSP RESPONSE", Bytes: der})
	}
	ts.Check(os.WriteFile(ts.MkAbs(flags.Arg(2)), der, 0o644))
}

// cmdResponder is "responder VARIABLE FILE": a server that answers every
// request with what the file holds at that moment, until the script ends; the
// variable gets its URL.
func cmdResponder(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: responder variable file")
	}
	path := ts.MkAbs(args[1])
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		der, err := os.ReadFile(path)
		if err != nil {
			http.Error(w, err.Error(), http.StatusServiceUnavailable)
			return
		}
		w.Header().Set("Content-Type", "application/ocsp-response")
		_, _ = w.Write(der)
	}))
	ts.Defer(server.Close)
	ts.Setenv(args[0], server.URL)
}

// cmdTLSServer is "tlsserver VARIABLE PEM [STAPLE]": a TLS server with that
// certificate and staple until the script ends; the variable gets its address.
func cmdTLSServer(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 || len(args) > 3 {
		ts.Fatalf("usage: tlsserver variable pem [staple]")
	}
	certificate, err := tls.LoadX509KeyPair(ts.MkAbs(args[1]), ts.MkAbs(args[1]))
	ts.Check(err)
	if len(args) == 3 {
		certificate.OCSPStaple = []byte(ts.ReadFile(args[2]))
	}
	l, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{certificate}})
	ts.Check(err)
	ts.Setenv(args[0], serve(ts, l))
}

// cmdSilence is "silence VARIABLE": a server that takes connections and never
// says a word, until the script ends; the variable gets its address.
func cmdSilence(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: silence variable")
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	ts.Check(err)
	ts.Setenv(args[0], serve(ts, l))
}

// serve reads what clients send until the script ends, and is the address.
func serve(ts *testscript.TestScript, l net.Listener) string {
	done := make(chan struct{})
	go func() { // ends when the script closes the listener
		defer close(done)
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			swallow(conn)
		}
	}()
	ts.Defer(func() { l.Close(); <-done })
	return l.Addr().String()
}

// swallow serves one client until it goes; TLS shakes hands meanwhile.
func swallow(conn net.Conn) {
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(scriptDeadline))
	_, _ = io.Copy(io.Discard, conn)
}

// cmdRelay is "relay VARIABLE URL FILE": an HTTP server and proxy until the
// script ends. Whatever it is asked, URL answers; FILE gets a line for each
// request: method, target as it was sent, Host header.
func cmdRelay(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 {
		ts.Fatalf("usage: relay variable url file")
	}
	target, err := url.Parse(args[1])
	ts.Check(err)
	log, err := os.Create(ts.MkAbs(args[2]))
	ts.Check(err)
	server := httptest.NewServer(&httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			fmt.Fprintf(log, "%s %s %s\n", r.In.Method, r.In.RequestURI, r.In.Host)
			r.Out.URL.Scheme, r.Out.URL.Host, r.Out.Host = target.Scheme, target.Host, ""
		},
	})
	ts.Defer(func() { server.Close(); log.Close() })
	ts.Setenv(args[0], server.URL)
}

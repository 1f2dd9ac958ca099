package main

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"flag"
	"io"
	"net"
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
	done := make(chan struct{})
	go func() { // ends when the script closes the listener
		defer close(done)
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			finishHandshake(conn)
		}
	}()
	ts.Defer(func() { l.Close(); <-done })
	ts.Setenv(args[0], l.Addr().String())
}

// finishHandshake serves one client until it goes.
func finishHandshake(conn net.Conn) {
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(scriptDeadline))
	_, _ = io.Copy(io.Discard, conn)
}

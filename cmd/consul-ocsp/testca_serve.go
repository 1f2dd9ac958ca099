package main

import (
	"fmt"
	"log"
	"math/big"
	"net"
	"time"

	"github.com/consul-ocsp/consul-ocsp/plugin/testca"
)

func testcaServe(e environment) *command {
	c := newMember(e, "serve", "[flags] DIR", "Answers OCSP requests", `
Answers OCSP requests, by GET and POST, for the certificates in DIR as they are
at that moment, until it is interrupted. Prints its address once it listens, and
logs each request. The CA's certificate is at /ca.crt.

With -fault it goes wrong in one way, to rehearse what then happens: with
-fault=NAME always, with -fault=NAME@N for the first N requests. The names are
those that "consul-ocsp testca faults" lists.

Example:
  consul-ocsp testca serve -listen=127.0.0.1:8888 -validity=1h ca
  consul-ocsp testca serve -fault=503@3 ca
  consul-ocsp testca serve -delegate ca`)
	listen := c.flags.String("listen", "127.0.0.1:8888", "`address` to listen at; port 0 takes a free one")
	validity := c.flags.Duration("validity", time.Hour, "nextUpdate is this `time` after thisUpdate")
	delegate := c.flags.Bool("delegate", false, "sign by the delegate that \"testca delegate\" made")
	open := openFlag(c)
	fault := c.flags.String("fault", "", "`NAME` of what goes wrong, or NAME@N")
	c.run = func(c *command, args []string) int {
		switch {
		case len(args) != 1:
			return c.wrongUsage("it takes one folder")
		case *validity < time.Second:
			return c.wrongUsage("-validity: %v is less than a second", *validity)
		}
		if err := testca.CheckFault(*fault); err != nil {
			return c.wrongUsage("-fault: %v", err)
		}
		ca, err := open(args[0])
		if err != nil {
			return c.failed(err)
		}
		o := testca.ResponderOptions{Validity: *validity, Fault: *fault}
		if *delegate {
			if o.SignerCert, o.Signer, err = ca.OpenDelegate(); err != nil {
				return c.failed(fmt.Errorf("%w; consul-ocsp testca delegate makes one", err))
			}
		}
		return serveCA(c, ca, *listen, o)
	}
	return c
}

func serveCA(c *command, ca *testca.CA, listen string, o testca.ResponderOptions) int {
	ctx, stop := c.interrupted()
	defer stop()
	l, err := net.Listen("tcp", listen)
	if err != nil {
		return c.failed(err)
	}
	requests := log.New(c.stderr, "", log.LstdFlags|log.LUTC)
	fmt.Fprintf(c.stdout, "OCSP responder for %s at http://%s\n", printable(ca.Dir()), l.Addr())
	o.OnRequest = func(serial *big.Int, method string) {
		if serial == nil {
			requests.Printf("%s unreadable request", printable(method))
			return
		}
		requests.Printf("%s serial %x", printable(method), serial.Bytes())
	}
	if err := ca.Serve(ctx, l, o); err != nil {
		return c.failed(err)
	}
	return exitOK
}

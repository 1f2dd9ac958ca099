package main

import (
	"crypto/x509"
	"fmt"
	"strings"
	"time"
)

func inspectCommand(e environment) *command {
	c := newCommand(e, "inspect [-cert F] [-issuer F] FILE", "Explains a certificate or an OCSP response", `
FILE is a certificate (PEM or DER), or an OCSP response (DER, PEM or base64).

Of a certificate it shows what stapling depends on: id, names, issuer and where
it was found, responders, must-staple, and the CertID by which HAProxy knows it.

A response is verified for the certificate of -cert, else for the one beside a
FILE that ends in .ocsp: www.pem for www.pem.ocsp. Every step is shown. The
issuer is looked for in the certificate's file, then in a file of the same name
that ends in .issuer.

Exit codes: 0 a certificate, or a response that was verified, whatever its
status; 1 a response that was refused; 2 usage, or a file that can't be read.

Example:
  consul-ocsp inspect /etc/haproxy/certs/www.pem.ocsp`)
	cert := c.flags.String("cert", "", "`file` with the certificate that the response is for")
	issuer := c.flags.String("issuer", "", "`file` with the certificate of the issuer")
	c.run = func(c *command, args []string) int {
		if len(args) != 1 {
			return c.wrongUsage("it takes one file")
		}
		i := inspection{command: c, path: args[0], issuerPath: *issuer, now: time.Now()}
		subject, err := readSubject(args[0])
		if err != nil {
			return i.unreadable(err)
		}
		if subject.held != nil {
			if *cert != "" {
				return c.wrongUsage("-cert is for a response; %s is a certificate", printable(args[0]))
			}
			return i.certificate(subject.held)
		}
		return i.response(subject.response, *cert)
	}
	return c
}

// inspection is one run of the command.
type inspection struct {
	*command
	path, issuerPath string
	now              time.Time
	trusted          []*x509.Certificate // may sign besides the issuer's own
}

func (i inspection) unreadable(err error) int {
	fmt.Fprintf(i.stderr, "consul-ocsp inspect: %s\n", printable(err.Error()))
	return exitUsage
}

// besideResponse are the files where the certificate of a response may be.
func besideResponse(path string) []string {
	base, ok := strings.CutSuffix(path, ".ocsp")
	if !ok || strings.HasSuffix(base, "/") || base == "" {
		return nil
	}
	return []string{base, base + ".pem", base + ".crt"}
}

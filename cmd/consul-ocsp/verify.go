package main

import (
	"context"
	"crypto/x509"
	"fmt"
	"net"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/consul-ocsp/consul-ocsp/hclconfig"
	"github.com/consul-ocsp/consul-ocsp/plugin"
	"github.com/consul-ocsp/consul-ocsp/plugin/handshake"
	"github.com/consul-ocsp/consul-ocsp/plugin/staple"
)

func verifyCommand(e environment) *command {
	c := newCommand(e, "verify [flags] HOST:PORT", "Shows what a TLS client is stapled", `
Makes a TLS handshake, as a browser would, and verifies what the server stapled.
The server's chain is checked against the certificates of -ca-file, and not at
all without it: the staple is verified in any case.

With a job file it also says what the certificate's file on this node holds and
what each HAProxy holds, so that it shows where a newer response got stuck.

Exit codes: 0 a good response was stapled, 1 none, one that was refused or one
that does not say good, 2 no TLS connection, or usage.

Example:
  consul-ocsp verify -servername=www.example.com 192.0.2.1:443`)
	f := configuredFlags(c)
	var o handshake.Options
	c.flags.StringVar(&o.ServerName, "servername", "", "`name` to ask for (default: the host)")
	caFile := c.flags.String("ca-file", "", "`file` with the CA certificates that the server's chain must end in")
	c.flags.StringVar(&o.KeyType, "key-type", "", "`kind` of certificate to ask for, rsa or ecdsa, where a server has both")
	asJSON := c.flags.Bool("json", false, "print JSON")
	c.flags.DurationVar(&o.Timeout, "timeout", 10*time.Second, "`time` for connection and handshake")
	c.run = func(c *command, args []string) int {
		if len(args) != 1 {
			return c.wrongUsage("it takes one HOST:PORT")
		}
		host, _, err := net.SplitHostPort(args[0])
		switch {
		case err != nil || host == "":
			return c.wrongUsage("%q is not HOST:PORT", args[0])
		case o.KeyType != "" && o.KeyType != "rsa" && o.KeyType != "ecdsa":
			return c.wrongUsage("-key-type: %q is neither rsa nor ecdsa", o.KeyType)
		case o.Timeout <= 0:
			return c.wrongUsage("-timeout: %v is not positive", o.Timeout)
		}
		if *caFile != "" {
			list, err := readCertificates(*caFile)
			if err != nil {
				return c.wrongUsage("-ca-file: %s", printable(err.Error()))
			}
			o.RootCAs = x509.NewCertPool()
			for _, cert := range list {
				o.RootCAs.AddCert(cert)
			}
		}
		var cfg *hclconfig.Config
		if len(f.paths) > 0 {
			var ok bool
			if cfg, ok = f.load(c); !ok {
				return exitUsage
			}
		}
		o.Address, o.Now = args[0], time.Now()
		if o.ServerName == "" {
			o.ServerName = host
		}
		ctx, stop := c.interrupted()
		defer stop()
		return verifyServer(ctx, c, cfg, o, *asJSON)
	}
	return c
}

// verifyServer makes the handshake; cfg may be nil.
func verifyServer(ctx context.Context, c *command, cfg *hclconfig.Config, o handshake.Options, asJSON bool) int {
	r, err := handshake.Connect(ctx, o)
	if err != nil {
		fmt.Fprintf(c.stderr, "consul-ocsp verify: %s\n", printable(err.Error()))
		return exitUsage
	}
	v := newVerdict(o, r)
	if cfg != nil {
		if v.Here, err = plugin.Compare(ctx, cfg, v.ID, "", plugin.Options{Version: version, Logger: hclog.NewNullLogger()}); err != nil {
			fmt.Fprintf(c.stderr, "consul-ocsp verify: %s\n", printable(err.Error()))
			return exitUsage
		}
	}
	if asJSON {
		err = c.printJSON(v)
	} else {
		err = v.print(c, o, r)
	}
	switch {
	case err != nil:
		return c.failed(err)
	case v.Result != string(staple.Good):
		return exitFailed
	}
	return exitOK
}

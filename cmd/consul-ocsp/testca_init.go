package main

import (
	"fmt"
	"strings"

	"github.com/consul-ocsp/consul-ocsp/plugin/testca"
)

func testcaInit(e environment) *command {
	c := newMember(e, "init", "[flags] DIR", "Makes a CA in a folder", `
Makes a CA in DIR, and DIR where it is absent. A folder that holds one already is
refused. Prints the path of the CA's certificate.

With -parent the CA is an intermediate one, signed by the CA in that folder, which
has it in its index and can revoke it by its name. Certificates that the new CA
issues come with its certificate, not with the parent's.

With -pss all that RSA keys sign is signed with RSA-PSS: the CA's certificate, what
it issues, and its answers, also those of an RSA delegate. An RSA CA below such a
one does the same.

Example:
  consul-ocsp testca init ca
  consul-ocsp testca init -parent=ca -responder=http://127.0.0.1:8888 below
  consul-ocsp testca init -key-pass=file:secret ca2
  consul-ocsp testca init -key=rsa -pss ca3`)
	key := keyFlag(c)
	var o testca.InitOptions
	c.flags.StringVar(&o.Name, "name", "", "common `name` (default \"consul-ocsp test CA\", with -parent \"consul-ocsp test intermediate CA\")")
	c.flags.BoolVar(&o.PSS, "pss", false, "sign with RSA-PSS, with -key=rsa")
	password := passwordFlag(c, "key-pass", "encrypts the CA's key with the password from `source`: env:NAME, file:PATH or pass:TEXT")
	parent := c.flags.String("parent", "", "`folder` of the CA that signs this one")
	parentPassword := passwordFlag(c, "parent-key-pass", "`source` of the password of the parent's key")
	c.flags.Func("responder", "`URL` of the parent's OCSP responder, with -parent; may be given several times", urlFlag(&o.Responders))
	c.flags.Func("issuer-url", "`URL` of the parent's certificate, with -parent; may be given several times", urlFlag(&o.IssuerURLs))
	c.run = func(c *command, args []string) int {
		switch o.Key = testca.KeyType(*key); {
		case len(args) != 1:
			return c.wrongUsage("it takes one folder")
		case !isKeyType(o.Key):
			return c.wrongUsage("-key: %q is none of ecdsa, ecdsa384, ecdsa521, rsa, ed25519", *key)
		case o.PSS && o.Key != testca.RSA:
			return c.wrongUsage("-pss is for -key=rsa")
		case *parent == "" && (len(o.Responders) > 0 || len(o.IssuerURLs) > 0):
			return c.wrongUsage("-responder and -issuer-url are for a CA with -parent")
		}
		if err := makeCA(args[0], *parent, parentPassword, password, o); err != nil {
			return c.failed(err)
		}
		fmt.Fprintf(c.stdout, "%s/ca.pem\n", strings.TrimRight(args[0], "/"))
		return exitOK
	}
	return c
}

func makeCA(dir, parent string, parentPassword, password func() ([]byte, error), o testca.InitOptions) (err error) {
	if parent != "" {
		secret, err := parentPassword()
		if err != nil {
			return err
		}
		if o.Parent, err = testca.OpenWithPassword(parent, secret); err != nil {
			return err
		}
	}
	if o.Password, err = password(); err != nil {
		return err
	}
	_, err = testca.Init(dir, o)
	return err
}

func testcaDelegate(e environment) *command {
	c := newMember(e, "delegate", "[flags] DIR", "Issues the certificate of an OCSP signer", `
Issues a certificate that may sign OCSP answers in the CA's place: with extended
key usage OCSPSigning and id-pkix-ocsp-nocheck. Prints the path of its file, which
holds its key, too. "testca serve -delegate" signs with it from its next start on;
answers then embed the certificate.

Example:
  consul-ocsp testca delegate -key=rsa -days=30 ca
  consul-ocsp testca serve -delegate ca`)
	key := keyFlag(c)
	days := daysFlag(c)
	open := openFlag(c)
	c.run = func(c *command, args []string) int {
		kind := testca.KeyType(*key)
		switch {
		case len(args) != 1:
			return c.wrongUsage("it takes one folder")
		case !isKeyType(kind):
			return c.wrongUsage("-key: %q is none of ecdsa, ecdsa384, ecdsa521, rsa, ed25519", *key)
		case !areDays(*days):
			return c.wrongUsage("-days: %d is not between 1 and 36500", *days)
		}
		ca, err := open(args[0])
		if err != nil {
			return c.failed(err)
		}
		issued, err := ca.Delegate(testca.IssueOptions{Key: kind, NotAfter: endIn(*days, ca)})
		if err != nil {
			return c.failed(err)
		}
		fmt.Fprintln(c.stdout, issued.Path)
		return exitOK
	}
	return c
}

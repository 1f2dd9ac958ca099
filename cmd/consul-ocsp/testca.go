package main

import (
	"flag"
	"fmt"
	"net/url"
	"strings"

	"github.com/consul-ocsp/consul-ocsp/plugin"
	"github.com/consul-ocsp/consul-ocsp/plugin/testca"
)

// testcaCommands are the group "testca" and its members.
func testcaCommands(e environment) map[string]*command {
	return map[string]*command{
		"testca":          testcaCommand(e),
		"testca init":     testcaInit(e),
		"testca issue":    testcaIssue(e),
		"testca delegate": testcaDelegate(e),
		"testca revoke":   testcaRevoke(e),
		"testca release":  testcaRelease(e),
		"testca serve":    testcaServe(e),
		"testca faults":   testcaFaults(e),
	}
}

// newMember makes a command of the group.
func newMember(e environment, name, operands, synopsis, help string) *command {
	c := newCommand(e, "testca "+name+" "+operands, synopsis, help)
	c.flags.Init("testca "+name, flag.ContinueOnError)
	return c
}

func testcaCommand(e environment) *command {
	c := newCommand(e, "testca COMMAND [flags] [arguments]", "A CA with an OCSP responder, for tests and rehearsals", `
A certificate authority in a folder, with its OCSP responder: for quick starts,
rehearsals and tests, never for production. Keys lie unencrypted in the folder,
unless init is given a password. It keeps openssl's index.txt, so that "openssl
ocsp" can serve the same folder.

The commands are init, issue, delegate, revoke, release, serve and faults; each
says more with -h.

Example:
  consul-ocsp testca init ca
  consul-ocsp testca issue -responder=http://127.0.0.1:8888 ca www.example.com
  consul-ocsp testca serve ca &
  consul-ocsp testca revoke ca www.example.com

With an intermediate CA, whose key is encrypted and whose delegate signs:
  export CONSUL_OCSP_TESTCA_PASS=secret
  consul-ocsp testca init root && consul-ocsp testca init -parent=root ca
  consul-ocsp testca delegate ca
  consul-ocsp testca serve -delegate ca`)
	c.run = func(c *command, args []string) int {
		if len(args) > 0 {
			return c.wrongUsage("%q is none of init, issue, delegate, revoke, release, serve, faults", args[0])
		}
		fmt.Fprintln(c.stderr, c.Help())
		return exitUsage
	}
	return c
}

func testcaIssue(e environment) *command {
	c := newMember(e, "issue", "[flags] DIR NAME…", "Issues certificates", `
Issues a certificate for each NAME and prints the path of its file, which holds
certificate, CA certificate and private key, as HAProxy wants them. A NAME may be
several names of one certificate with commas between. They are DNS names or IP
addresses. A name issued again gets a new file; its old certificate stays valid.

Exit codes: 0 all issued, 1 none, 2 usage, 3 some.

Example:
  consul-ocsp testca issue -must-staple -responder=http://127.0.0.1:8888 \
      ca www.example.com,example.com 192.0.2.1`)
	key := keyFlag(c)
	var o testca.IssueOptions
	c.flags.BoolVar(&o.MustStaple, "must-staple", false, "clients must refuse the certificate without a staple (RFC 7633)")
	c.flags.Func("responder", "`URL` of the OCSP responder; may be given several times (default: none, the certificate has no responder)", urlFlag(&o.Responders))
	c.flags.Func("responder-text", "`text` in place of the responder's URL, unchecked: for certificates that name nonsense; may be given several times", func(s string) error {
		o.Responders = append(o.Responders, s)
		return nil
	})
	c.flags.Func("issuer-url", "`URL` of the CA's certificate; may be given several times", urlFlag(&o.IssuerURLs))
	days := daysFlag(c)
	open := openFlag(c)
	c.flags.BoolVar(&o.OmitIssuer, "no-issuer", false, "leave the CA's certificate out of the file")
	c.run = func(c *command, args []string) int {
		switch o.Key = testca.KeyType(*key); {
		case len(args) < 2:
			return c.wrongUsage("it takes a folder and at least one name")
		case !areDays(*days):
			return c.wrongUsage("-days: %d is not between 1 and 36500", *days)
		case !isKeyType(o.Key):
			return c.wrongUsage("-key: %q is none of ecdsa, ecdsa384, ecdsa521, rsa, ed25519", *key)
		}
		ca, err := open(args[0])
		if err != nil {
			return c.failed(err)
		}
		o.NotAfter = endIn(*days, ca)
		return issueAll(c, ca, args[1:], o)
	}
	return c
}

// issueAll issues what it can.
func issueAll(c *command, ca *testca.CA, operands []string, o testca.IssueOptions) int {
	progress := c.showProgress(func(now plugin.Progress) {
		fmt.Fprintf(c.stderr, "consul-ocsp testca issue: %d of %d issued, %d failed\n", now.Done-now.Failed, now.Total, now.Failed)
	})
	defer progress.end()
	each := make([][]string, len(operands))
	for i, operand := range operands {
		each[i] = strings.Split(operand, ",")
	}
	done, failed := 0, 0
	ca.IssueEach(each, o, func(issued *testca.Issued, err error) {
		if done++; err != nil {
			failed++
			c.failed(err)
		} else {
			fmt.Fprintln(c.stdout, issued.Path)
		}
		progress.tell(plugin.Progress{Doing: "issuing", Done: done, Total: len(operands), Failed: failed})
	})
	switch failed {
	case 0:
		return exitOK
	case len(operands):
		return exitFailed
	}
	return exitSome
}

// urlFlag collects absolute URLs of http and https.
func urlFlag(urls *[]string) func(string) error {
	return func(s string) error {
		u, err := url.Parse(s)
		if err != nil {
			return err
		}
		if u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
			return fmt.Errorf("not a URL such as http://127.0.0.1:8888")
		}
		*urls = append(*urls, s)
		return nil
	}
}

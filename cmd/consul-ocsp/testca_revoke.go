package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/consul-ocsp/consul-ocsp/plugin/testca"
)

func testcaRevoke(e environment) *command {
	c := newMember(e, "revoke", "[flags] DIR NAME", "Revokes a certificate", `
Revokes all valid certificates that were issued for NAME, the first name of the
certificate. A responder that serves DIR says so from its next answer on, with
the reason, if one is given. A certificate with the reason certificateHold can be
released, or revoked for good by another reason.

Example:
  consul-ocsp testca revoke -reason=keyCompromise ca www.example.com
  consul-ocsp testca revoke -reason=certificateHold ca shop.example.com
  consul-ocsp testca release ca shop.example.com`)
	known := testca.Reasons()
	reason := c.flags.String("reason", "", "why: one `of` "+strings.Join(known, ", ")+" (default: none is given)")
	open := openFlag(c)
	c.run = func(c *command, args []string) int {
		switch {
		case len(args) != 2:
			return c.wrongUsage("it takes a folder and a name")
		case strings.EqualFold(*reason, "removeFromCRL"):
			return c.wrongUsage("-reason: removeFromCRL is what \"testca release\" does, for a certificate on hold")
		case *reason != "" && !slices.ContainsFunc(known, func(s string) bool { return strings.EqualFold(s, *reason) }):
			return c.wrongUsage("-reason: %q is none of %s", *reason, strings.Join(known, ", "))
		}
		ca, err := open(args[0])
		if err != nil {
			return c.failed(err)
		}
		if err := ca.RevokeWithReason(args[1], *reason); err != nil {
			return c.failed(err)
		}
		fmt.Fprintf(c.stdout, "%s is revoked\n", printable(args[1]))
		return exitOK
	}
	return c
}

func testcaRelease(e environment) *command {
	c := newMember(e, "release", "[flags] DIR NAME", "Makes a certificate on hold valid again", `
Makes all certificates of NAME valid again that were revoked with the reason
certificateHold. A responder that serves DIR says "good" from its next answer on.
What was revoked for another reason, or for none, stays revoked.

Example:
  consul-ocsp testca revoke -reason=certificateHold ca www.example.com
  consul-ocsp testca release ca www.example.com`)
	open := openFlag(c)
	c.run = func(c *command, args []string) int {
		if len(args) != 2 {
			return c.wrongUsage("it takes a folder and a name")
		}
		ca, err := open(args[0])
		if err != nil {
			return c.failed(err)
		}
		if err := ca.Release(args[1]); err != nil {
			return c.failed(err)
		}
		fmt.Fprintf(c.stdout, "%s is valid again\n", printable(args[1]))
		return exitOK
	}
	return c
}

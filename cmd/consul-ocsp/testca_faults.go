package main

import (
	"fmt"

	"github.com/consul-ocsp/consul-ocsp/plugin/testca"
)

func testcaFaults(e environment) *command {
	c := newMember(e, "faults", "", "Lists how a responder can go wrong", `
Lists what "consul-ocsp testca serve -fault=NAME" can do, a line for each fault:
its name and what the responder does. Where a certificate must be issued for it,
the flags of "consul-ocsp testca issue" are in brackets; ADDRESS is where the
responder listens. The groups say what has to become of it: answers under
"accept" are odd but good.

Example:
  consul-ocsp testca faults
  consul-ocsp testca serve -fault=expired ca`)
	c.run = func(c *command, args []string) int {
		if len(args) > 0 {
			return c.wrongUsage("it takes no arguments")
		}
		group := ""
		for _, f := range testca.Faults() {
			if f.Group != group {
				if group != "" {
					fmt.Fprintln(c.stdout)
				}
				group = f.Group
				fmt.Fprintf(c.stdout, "%s: %s\n", group, groupMeaning(group))
			}
			fmt.Fprintf(c.stdout, "  %-20s %s", f.Name, f.Does)
			if f.Issue != "" {
				fmt.Fprintf(c.stdout, " [%s]", f.Issue)
			}
			fmt.Fprintln(c.stdout)
		}
		return exitOK
	}
	return c
}

// groupMeaning says what has to become of the faults of a group.
func groupMeaning(group string) string {
	switch group {
	case "transport":
		return "what HTTP can do; an answer that is right is to be accepted all the same"
	case "url":
		return "made by the certificate alone, -fault does not take them"
	case "status":
		return "the responder says that it does not answer; what is held stays"
	case "refuse":
		return "answers that must be refused; what is held stays"
	case "accept":
		return "odd answers that must be accepted"
	case "entries":
		return "two entries for the certificate; the worst wins"
	case "unstaplable":
		return "verified, but HAProxy cannot staple it; it is stored, and status says why"
	case "unknown":
		return "the responder does not know the certificate; what is held stays"
	case "clock":
		return "the server's clock is wrong; the answer is accepted, and the log warns"
	}
	return ""
}

package main

import (
	"fmt"
	"strings"

	"github.com/consul-ocsp/consul-ocsp/plugin"
	"github.com/consul-ocsp/consul-ocsp/plugin/prospects"
)

func planCommand(e environment) *command {
	c := newCommand(e, "plan [flags]", "Says what an agent would do on this node, and changes nothing", `
Looks at each certificate of the job files, at the place where its response would
go, and at the servers as they run: is the issuer known, how would a response get
there, who asks the responder already, who owns the file, and would the next
reload load? Nothing is written, pushed, reloaded or sent to a responder or to
Consul. Run it as the agent's user: rights are part of the answer.

Lines with "!" would hurt: a response could not be verified or not written, or a
server would not start.

Exit codes: 0 nothing would hurt, 1 something would, 2 usage or configuration.

Example:
  sudo -u consul-ocsp consul-ocsp plan -config-dir=/etc/consul-ocsp.d`)
	f := configuredFlags(c)
	asJSON := c.flags.Bool("json", false, "print JSON")
	c.run = func(c *command, args []string) int {
		if len(args) > 0 {
			return c.wrongUsage("it takes no arguments")
		}
		cfg, ok := f.load(c)
		if !ok {
			return exitUsage
		}
		logger, progress, err := c.newProgressLogger(cfg)
		if err != nil {
			return c.failed(err)
		}
		defer logger.close()
		defer progress.end()
		ctx, stop := c.interrupted()
		defer stop()
		report, err := plugin.Plan(ctx, cfg, plugin.Options{Version: version, Logger: logger, Progress: progress.tell})
		progress.rest()
		if err != nil {
			c.complain(err.Error())
			return exitUsage
		}
		if *asJSON {
			if err := c.printJSON(report); err != nil {
				return c.failed(err)
			}
		} else {
			printProspects(c, report)
		}
		if report.Hurts() {
			return exitFailed
		}
		return exitOK
	}
	return c
}

// printProspects prints a paragraph for each certificate, then what is about
// more than one.
func printProspects(c *command, p *prospects.Report) {
	hurt := 0
	for _, cert := range p.Certificates {
		name := nameOf(cert.Job, cert.Name, cert.ID)
		if cert.MustStaple {
			name += " (must-staple)"
		}
		fmt.Fprintln(c.stdout, printable(name))
		t := newTable(c.stdout)
		t.row("certificate", cert.Path)
		t.row("issuer", issuerText(cert.Issuer))
		t.row("file", fileText(cert))
		for _, r := range cert.Servers {
			t.row(r.Server, reachText(r))
		}
		t.flush()
		hurt += printRemarks(c, cert.Remarks)
	}
	hurt += printRemarks(c, p.Remarks)
	fmt.Fprintf(c.stdout, "%d certificates, %d things would hurt\n", len(p.Certificates), hurt)
}

// printRemarks is how many of them would hurt.
func printRemarks(c *command, remarks []prospects.Remark) (hurt int) {
	for _, r := range remarks {
		sign := "-"
		if r.Hurts {
			sign = "!"
			hurt++
		}
		fmt.Fprintf(c.stdout, "  %s %s\n", sign, printable(r.Text))
	}
	return hurt
}

func issuerText(from string) string {
	switch from {
	case "none":
		return "not found"
	case "aia":
		return "to be downloaded"
	}
	return "found (" + from + ")"
}

func fileText(p prospects.Prospect) string {
	if p.File == "" {
		return ""
	}
	state := "not there yet"
	if p.Owner != "" {
		state = p.Owner
	}
	if p.Holds != "" {
		state += ", holds " + p.Holds
	}
	return p.File + ": " + state
}

// reachText says in words how a response gets to a server.
func reachText(r prospects.Reach) string {
	text := map[string]string{
		prospects.WaySet:         "takes a response while it runs",
		prospects.WayTransaction: "takes a response once a transaction has registered the certificate, without a reload",
		prospects.WayReload:      "reads the file with a reload",
		prospects.WayFile:        "does not run: its start reads the file",
		prospects.WayRun:         "a command is run for it",
		prospects.WayNone:        "does not serve this certificate",
	}[r.Way]
	if len(r.Names) > 0 {
		text += "; serves it as " + strings.Join(r.Names, ", ")
	}
	return text
}

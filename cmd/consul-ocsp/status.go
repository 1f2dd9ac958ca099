package main

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/consul-ocsp/consul-ocsp/plugin"
	"github.com/consul-ocsp/consul-ocsp/plugin/status"
)

// exitUnknown is what -check ends with when nothing is known: also when flags
// or configuration are wrong, as monitoring expects.
const exitUnknown = 3

func statusCommand(e environment) *command {
	c := newCommand(e, "status [flags]", "Shows every staple and node", `
Shows every staple, what ends first at the top, and every node: from Consul, or
without a consul block from this node's data_dir. While Consul does not answer it
shows what data_dir holds, and ends with 1. It changes nothing.

With -watch it goes on: on a terminal it shows the present every two seconds,
elsewhere it prints a table, or JSON, whenever a staple or a node has changed.

With -check it ends as monitoring plugins do: 0 ok, 1 warning, 2 critical,
3 unknown, also for wrong flags and configuration.

With -here it shows instead, for each certificate of this node, what its file
says, what each HAProxy holds and, with -connect or where the job has connect,
what a client gets. It ends with 1 where these differ or have no response.

Example:
  consul-ocsp status -config-dir=/etc/consul-ocsp.d
  consul-ocsp status -here -connect=127.0.0.1:443
  consul-ocsp status -check -warn=25% -crit=10%`)
	f := configuredFlags(c)
	o := &statusFlags{}
	c.flags.BoolVar(&o.asJSON, "json", false, "print JSON")
	c.flags.BoolVar(&o.local, "local", false, "show times in local time instead of UTC")
	c.flags.BoolVar(&o.watch, "watch", false, "show it anew every two seconds until INT; not to a terminal: whenever something has changed")
	c.flags.BoolVar(&o.check, "check", false, "print a line for monitoring and end with 0 ok, 1 warning, 2 critical or 3 unknown")
	c.flags.StringVar(&o.warn, "warn", "25%", "warning when less than this `share` of a staple's life is left")
	c.flags.StringVar(&o.crit, "crit", "10%", "critical when less than this `share` is left")
	c.flags.BoolVar(&o.here, "here", false, "compare the files, the HAProxies and the clients of this node")
	c.flags.StringVar(&o.connect, "connect", "", "with -here: make a TLS handshake with this `HOST:PORT` for each certificate, whatever connect its job has")
	c.wrongFlags = func(args []string) int {
		if slices.Contains(args, "-check") || slices.Contains(args, "--check") {
			return c.unknown("the flags are wrong")
		}
		return exitUsage
	}
	c.run = func(c *command, args []string) int {
		if problem := o.problem(args); problem != "" {
			c.wrongUsage("%s", problem)
			if o.check {
				return c.unknown(problem)
			}
			return exitUsage
		}
		cfg, ok := f.load(c)
		switch {
		case !ok && o.check:
			return c.unknown("the configuration is not valid: consul-ocsp validate says why")
		case !ok:
			return exitUsage
		}
		ctx, stop := c.interrupted()
		defer stop()
		switch {
		case o.here:
			return statusHere(ctx, c, cfg, o.connect, o.asJSON)
		case o.watch:
			return watchStatus(ctx, c, cfg, o)
		}
		report, err := plugin.Status(ctx, cfg, hclog.NewNullLogger())
		if o.check {
			return checkStatus(c, report, err, o.warning, o.critical)
		}
		return o.show(c, report, err)
	}
	return c
}

// statusFlags are what the command line asks of a status.
type statusFlags struct {
	asJSON, local, watch, check, here bool
	warn, crit, connect               string
	warning, critical                 float64 // of warn and crit
}

// problem is what is wrong with them, "" if nothing is.
func (o *statusFlags) problem(args []string) string {
	var err, err2 error
	o.warning, err = status.ParsePercent(o.warn)
	o.critical, err2 = status.ParsePercent(o.crit)
	switch {
	case len(args) > 0:
		return "it takes no arguments"
	case err != nil || err2 != nil || o.critical > o.warning:
		return "-warn and -crit are percentages such as 25%, and -crit is the smaller one"
	case o.here && o.check || o.here && o.watch || o.watch && o.check:
		return "-here, -watch and -check go without each other"
	case o.connect != "" && !o.here:
		return "-connect goes with -here only"
	}
	return ""
}

// show prints a report, and what kept it from being whole.
func (o *statusFlags) show(c *command, report *status.Report, err error) int {
	code := exitOK
	if err != nil {
		code = c.failed(err)
	}
	switch {
	case report == nil:
	case o.asJSON:
		err = report.WriteJSON(c.stdout)
	default:
		options := tableOptions(c, o.local)
		if height := heightOf(c.terminalOf(c.stdout)); o.watch && height > 0 {
			options.Height = max(height-2, 8) // the cursor's, and one for an error
		}
		err = report.WriteTable(c.stdout, options)
	}
	if err != nil && code == exitOK {
		return c.failed(err)
	}
	return code
}

// checkStatus prints what monitoring reads. What is not known is never fine.
func checkStatus(c *command, report *status.Report, err error, warning, critical float64) int {
	if err != nil {
		return c.unknown(err.Error())
	}
	code, lines := report.Check(warning, critical)
	fmt.Fprintln(c.stdout, strings.Join(lines, "\n"))
	return code
}

// unknown tells monitoring, which reads standard output, that nothing is known.
func (c *command) unknown(why string) int {
	fmt.Fprintf(c.stdout, "CONSUL-OCSP UNKNOWN - %s\n", printable(why))
	return exitUnknown
}

// tableOptions fit a table to where it is printed.
func tableOptions(c *command, local bool) status.TableOptions {
	o := status.TableOptions{Width: widthOf(c.terminalOf(c.stdout)), Color: c.coloured(c.stdout)}
	if local {
		o.Local = time.Local
	}
	return o
}

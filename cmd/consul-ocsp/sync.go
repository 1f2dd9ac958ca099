package main

import (
	"context"
	"fmt"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/consul-ocsp/consul-ocsp/hclconfig"
	"github.com/consul-ocsp/consul-ocsp/plugin"
)

// syncVerdict is what the flags say about which shortcomings count.
type syncVerdict struct {
	// carryOn lets a missing staple pass, unless the certificate must have one.
	carryOn bool
	// requirePush lets no failed push pass.
	requirePush bool
}

func syncCommand(e environment) *command {
	c := newCommand(e, "sync [flags]", "Brings this node up to date, once", `
Announces this node's certificates, takes what there is for them in Consul (or in
data_dir without a consul block), verifies it, writes the files, pushes it to the
targets, and ends: for prestart tasks and as handler of a watch.

Of many that are started at once one works: the others have it look once more,
say so and end with 0 at once. With -wait or -require-push it takes its turn
instead. Whatever a pipe has on its standard input is read and ignored.

With -adopt what running HAProxies (2.8 or later) hold is saved first, to the
files and data_dir, where it verifies and nothing newer is there: so a switch
from HAProxy's own ocsp-update, or from anything else that pushes, starts warm.

Exit codes: 0 every certificate has its staple, 1 none has or the pass failed,
or a HAProxy could not be asked for what it holds, 2 usage or configuration, 3
some have none. With -on-timeout=continue 0 unless a must-staple certificate has
none. A certificate without a responder needs none, unless it is must-staple.

Example:
  consul-ocsp sync -config-dir=/etc/consul-ocsp.d -wait=30s -on-timeout=continue
  consul watch -type=key -key=consul-ocsp/v1/head consul-ocsp sync -on-timeout=continue`)
	f := configuredFlags(c)
	var o plugin.SyncOptions
	c.flags.DurationVar(&o.Wait, "wait", 0, "wait up to this `time` until every certificate has its staple")
	onTimeout := c.flags.String("on-timeout", "fail", "`fail` or continue when a staple is missing at the end")
	requirePush := c.flags.Bool("require-push", false, "a target that could not be told counts as failed; otherwise the file is enough")
	c.flags.BoolVar(&o.Adopt, "adopt", false, "first save what the running HAProxies hold, verified")
	c.run = func(c *command, args []string) int {
		if len(args) > 0 {
			return c.wrongUsage("it takes no arguments")
		}
		if *onTimeout != "fail" && *onTimeout != "continue" {
			return c.wrongUsage("-on-timeout: %q is neither fail nor continue", *onTimeout)
		}
		if o.Wait < 0 {
			return c.wrongUsage("-wait: %v is less than nothing", o.Wait)
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
		drain(ctx, c.stdin)
		o.Fold = o.Wait == 0 && !*requirePush && !o.Adopt
		return syncPass(ctx, c, cfg, o, syncVerdict{carryOn: *onTimeout == "continue", requirePush: *requirePush},
			plugin.Options{Version: version, Logger: logger, Progress: progress.tell}, progress)
	}
	return c
}

// syncPass does the pass, prints a line for each certificate, and is the exit
// code.
func syncPass(ctx context.Context, c *command, cfg *hclconfig.Config, so plugin.SyncOptions, v syncVerdict, o plugin.Options, p *progress) int {
	so.RequirePush = v.requirePush
	report, err := plugin.Sync(ctx, cfg, so, o)
	p.rest()
	if err != nil {
		return c.failed(err)
	}
	for _, err := range []error{report.Source, report.Announced, report.Adopted} {
		if err != nil {
			c.complain(err.Error())
		}
	}
	if report.Folded {
		fmt.Fprintln(c.stdout, "nothing done: another sync is at work on this node, and looks once more when it is done")
		return exitOK
	}
	w := tabwriter.NewWriter(c.stdout, 0, 0, 2, ' ', 0)
	all, bad, must := 0, 0, 0
	for _, r := range report.Results {
		word, text := "stapled", ""
		if !r.Until.IsZero() {
			text = fmt.Sprintf("%s until %s", r.Status, r.Until.UTC().Format(time.RFC3339))
		}
		if r.AdoptedFrom != "" {
			text += ", adopted from " + r.AdoptedFrom
		}
		switch {
		case r.NotApplicable:
			word = "not-applicable"
		case !r.OK:
			all, bad, word = all+1, bad+1, "missing"
			if r.MustStaple {
				must++
			}
		default:
			all++
		}
		if r.Reason != "" {
			why := strings.TrimSuffix(r.Reason+": "+r.Error, ": ")
			if r.OK && !r.NotApplicable {
				text += "; " + why // the file has it, and something else is wrong
			} else {
				text = why
			}
		}
		printResult(w, nameOf(r.Job, r.Name, r.ID), word, text)
	}
	w.Flush()
	if report.Adopted != nil {
		return exitFailed
	}
	return v.code(all, bad, must, report)
}

func (v syncVerdict) code(all, bad, must int, report *plugin.SyncReport) int {
	switch {
	case v.carryOn && must == 0:
		return exitOK
	case bad == 0:
		if report.Source != nil && !v.carryOn {
			return exitFailed
		}
		return exitOK
	case bad == all:
		return exitFailed
	}
	return exitSome
}

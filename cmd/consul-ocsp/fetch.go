package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/consul-ocsp/consul-ocsp/hclconfig"
	"github.com/consul-ocsp/consul-ocsp/plugin"
)

func fetchCommand(e environment) *command {
	c := newCommand(e, "fetch [flags]", "Fetches what is due, once", `
Fetches what is due, verifies and publishes it, and ends: to Consul under the
lock, with the certificates that nodes announced, or to data_dir without a consul
block. While an agent leads, that agent fetches; the command says who it is and
ends with 0. With -force it asks that agent, waits a minute at most, or as long as
-timeout says, and prints what came of it; that needs the right to write below
v1/request/. A pass never waits for a time that a responder asked for.

Without a job file, -cert fetches and verifies one response and writes it to a
file, as openssl ocsp -respout does.

Exit codes: 0 done, 1 failed, 2 usage or configuration, 3 some certificates
failed. One without a responder is not applicable, which is no failure.

Example:
  consul-ocsp fetch -config-dir=/etc/consul-ocsp.d -timeout=2m
  consul-ocsp fetch -cert=www.pem -out=www.pem.ocsp`)
	f := configuredFlags(c)
	var o plugin.FetchOptions
	c.flags.BoolVar(&o.Force, "force", false, "fetch all, whatever the schedule and earlier failures say")
	c.flags.BoolVar(&o.DryRun, "dry-run", false, "fetch and verify, but store and publish nothing")
	c.flags.StringVar(&o.Name, "name", "", "only the certificate with this `job/name`")
	timeout := c.flags.Duration("timeout", 0, "give up after this `time`; what is not done by then has failed")
	sync := c.flags.Bool("sync", false, "afterwards do what the command sync does")
	var one plugin.FetchOne
	c.flags.StringVar(&one.Certificate, "cert", "", "PEM `file` of the certificate, without a job file")
	c.flags.StringVar(&one.Issuer, "issuer", "", "`file` of its issuer (default: in the PEM, then <cert>.issuer, then the certificate's own URL)")
	c.flags.StringVar(&one.URL, "url", "", "responder's `URL` (default: the certificate's)")
	c.flags.StringVar(&one.Host, "host", "", "`name` for the Host header")
	c.flags.StringVar(&one.Out, "out", "", "`file` for the response (default: none is written)")
	c.run = func(c *command, args []string) int {
		if len(args) > 0 {
			return c.wrongUsage("it takes no arguments")
		}
		if *timeout < 0 {
			return c.wrongUsage("-timeout: %v is less than nothing", *timeout)
		}
		if u, err := url.Parse(one.URL); one.URL != "" && (err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https") {
			return c.wrongUsage("-url: %q is not a URL such as http://ocsp.example.com", one.URL)
		}
		ctx, stop := c.interrupted()
		defer stop()
		if *timeout > 0 {
			var cancel context.CancelFunc
			ctx, cancel = context.WithTimeoutCause(ctx, *timeout, fmt.Errorf("not done within %v", *timeout))
			defer cancel()
		}
		if one.Certificate != "" {
			if len(f.paths) > 0 {
				return c.wrongUsage("-cert works without a job file")
			}
			return fetchOne(ctx, c, one)
		}
		if one != (plugin.FetchOne{}) {
			return c.wrongUsage("-issuer, -url, -host and -out go with -cert")
		}
		cfg, ok := f.load(c)
		if !ok {
			return exitUsage
		}
		return fetchPass(ctx, c, cfg, o, *sync)
	}
	return c
}

func fetchPass(ctx context.Context, c *command, cfg *hclconfig.Config, o plugin.FetchOptions, sync bool) int {
	logger, progress, err := c.newProgressLogger(cfg)
	if err != nil {
		return c.failed(err)
	}
	defer logger.close()
	defer progress.end()
	options := plugin.Options{Version: version, Logger: logger, Progress: progress.tell}
	report, err := plugin.Fetch(ctx, cfg, o, options)
	progress.rest()
	if err != nil {
		return c.failed(err)
	}
	code := printFetched(c, report, o)
	if !sync || o.DryRun {
		return code
	}
	return max(code, syncPass(ctx, c, cfg, plugin.SyncOptions{}, syncVerdict{}, options, progress))
}

// printFetched prints a line for each certificate and is the exit code.
func printFetched(c *command, report *plugin.FetchReport, o plugin.FetchOptions) int {
	switch {
	case report.LedBy != nil && !o.Force:
		fmt.Fprintf(c.stdout, "nothing done: %v\n", report.LedBy)
		return exitOK
	case report.LedBy != nil && o.DryRun:
		return c.wrongUsage("-dry-run can't be asked of the agent that leads")
	case report.LedBy != nil:
		fmt.Fprintf(c.stderr, "consul-ocsp fetch: asked the leading agent: %v\n", report.LedBy)
	}
	w := tabwriter.NewWriter(c.stdout, 0, 0, 2, ' ', 0)
	tried, failed := 0, 0
	for _, r := range report.Results {
		text := r.Reason
		switch {
		case r.Err != nil:
			text = strings.TrimPrefix(r.Reason+": "+r.Err.Error(), ": ")
		case r.Meta.Status != "":
			text = fmt.Sprintf("%s until %s", r.Meta.Status, r.Meta.Until.UTC().Format(time.RFC3339))
		}
		printResult(w, nameOf(r.Job, r.Name, r.ID), r.Outcome, text)
		switch r.Outcome {
		case "failed":
			failed++
			fallthrough
		case "fetched", "unchanged", "fresh":
			tried++
		}
	}
	w.Flush()
	switch {
	case len(report.Results) == 0:
		fmt.Fprintln(c.stderr, "consul-ocsp fetch: there are no certificates: none is configured here, and none was announced")
		return exitOK
	case failed > 0 && failed == tried:
		return exitFailed
	case failed > 0:
		return exitSome
	}
	return exitOK
}

func fetchOne(ctx context.Context, c *command, one plugin.FetchOne) int {
	facts, err := plugin.FetchCertificate(ctx, one, version)
	if errors.Is(err, plugin.ErrNotApplicable) {
		fmt.Fprintf(c.stdout, "%s: not-applicable: no-responder: the certificate has no responder's URL; -url gives one\n", one.Certificate)
		return exitOK
	}
	if err != nil {
		return c.failed(err)
	}
	fmt.Fprintf(c.stdout, "%s: %s\n  this update: %s\n", one.Certificate, facts.Status, facts.ThisUpdate.UTC().Format(time.RFC3339))
	if !facts.NextUpdate.IsZero() {
		fmt.Fprintf(c.stdout, "  next update: %s\n", facts.NextUpdate.UTC().Format(time.RFC3339))
	}
	return exitOK
}

// printResult prints what came of a certificate: its name, one word, and more
// where there is more to say.
func printResult(w io.Writer, name, word, text string) {
	line := name + "\t" + word
	if text != "" {
		line += "\t" + printable(text)
	}
	fmt.Fprintln(w, line)
}

// nameOf is how a certificate is called in a line of output.
func nameOf(job, name, id string) string {
	switch {
	case name != "":
		return printable(job + "/" + name)
	case len(id) > 16:
		return id[:16]
	}
	return printable(job)
}

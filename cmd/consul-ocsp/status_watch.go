package main

import (
	"bytes"
	"context"
	"fmt"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/consul-ocsp/consul-ocsp/hclconfig"
	"github.com/consul-ocsp/consul-ocsp/plugin"
	"github.com/consul-ocsp/consul-ocsp/plugin/status"
)

const (
	watchEvery = 2 * time.Second
	// repaint takes a terminal's cursor to its corner and clears the screen.
	repaint = "\x1b[H\x1b[2J"
)

// watchStatus shows the status again and again until ctx ends. What can't be had
// for a while is said, and waited for.
func watchStatus(ctx context.Context, c *command, cfg *hclconfig.Config, o *statusFlags) int {
	terminal := c.terminalOf(c.stdout) != nil
	tick := time.NewTicker(watchEvery)
	defer tick.Stop()
	shown := ""
	for {
		report, err := plugin.Status(ctx, cfg, hclog.NewNullLogger())
		if ctx.Err() != nil {
			return exitOK
		}
		if now := summary(report, err); terminal || now != shown {
			shown = now
			if terminal {
				fmt.Fprint(c.stdout, repaint)
			}
			o.show(c, report, err)
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return exitOK
		}
	}
}

// summary is what of a report is news when it changes: no ages, no counters.
func summary(report *status.Report, err error) string {
	var b bytes.Buffer
	fmt.Fprintln(&b, err)
	if report == nil {
		return b.String()
	}
	if report.Leader != nil {
		fmt.Fprintln(&b, report.Leader.Node)
	}
	for _, s := range report.Staples {
		fmt.Fprintln(&b, s.ID, s.State, s.Status, s.ThisUpdate, s.Reason, s.NodesCurrent)
	}
	for _, n := range report.Nodes {
		fmt.Fprintln(&b, n.Node, n.State, n.Certificates, n.Stapled, n.TroubleCount)
	}
	return b.String()
}

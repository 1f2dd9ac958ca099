package main

import (
	"context"
	"fmt"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/consul-ocsp/consul-ocsp/hclconfig"
	"github.com/consul-ocsp/consul-ocsp/plugin"
	"github.com/consul-ocsp/consul-ocsp/plugin/status"
)

// statusHere shows what the places of this node have for each certificate, and
// ends with 1 where they don't agree or one has no good word.
func statusHere(ctx context.Context, c *command, cfg *hclconfig.Config, connect string, asJSON bool) int {
	progress := c.showProgress(nil)
	defer progress.end()
	list, err := plugin.Compare(ctx, cfg, "", connect, plugin.Options{Version: version, Logger: hclog.NewNullLogger(), Progress: progress.tell})
	progress.rest()
	if err != nil {
		return c.failed(err)
	}
	if asJSON {
		err = c.printJSON(list)
	} else {
		printTruths(c, list, time.Now())
	}
	if err != nil {
		return c.failed(err)
	}
	for _, t := range list {
		if !t.Agree() || len(t.Truths) > 0 && !responseIn(t.Truths[0]) {
			return exitFailed
		}
	}
	return exitOK
}

func responseIn(t status.Truth) bool { return t.Says == "good" || t.Says == "revoked" }

func printTruths(c *command, list []status.Truths, now time.Time) {
	differ := 0
	for _, t := range list {
		note := ""
		if !t.Agree() {
			differ++
			note = ": they differ"
		}
		fmt.Fprintf(c.stdout, "%s%s\n", printable(nameOf(t.Job, t.Name, t.ID)), note)
		w := tabwriter.NewWriter(c.stdout, 0, 0, 2, ' ', 0)
		for _, one := range t.Truths {
			fmt.Fprintf(w, "  %s\t%s\n", printable(one.Place), printable(truthText(one, now)))
		}
		w.Flush()
	}
	fmt.Fprintf(c.stdout, "%d certificates, %d differ\n", len(list), differ)
}

// truthText is one place's word on a line.
func truthText(t status.Truth, now time.Time) string {
	text := t.Says
	if responseIn(t) {
		text += fmt.Sprintf(", of %s, until %s", t.ThisUpdate.Format(time.RFC3339), moment(t.NextUpdate, now))
	}
	if len(t.SHA256) > 12 {
		text += ", sha256 " + t.SHA256[:12]
	}
	return strings.TrimSuffix(text+": "+t.Error, ": ")
}

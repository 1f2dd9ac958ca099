package status

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"time"
)

// TableOptions say where a table is shown.
type TableOptions struct {
	// Width is the terminal's, in characters; 0 cuts nothing. Below 80 it
	// counts as 80.
	Width int
	// Color marks states by ANSI colours.
	Color bool
	// Local is the time zone to show; nil is UTC.
	Local *time.Location
}

// minWidth is the narrowest terminal that a table is made for, wideWidth what
// it takes to show host names beside names.
const (
	minWidth  = 80
	wideWidth = 120
	// maxHosts is the widest that host names get where nothing limits them.
	maxHosts = 60
)

// WriteTable writes the report for people: a summary, the staples in the order
// of urgency, then the nodes; below each what is wrong with it.
func (r *Report) WriteTable(w io.Writer, o TableOptions) error {
	if o.Local == nil {
		o.Local = time.UTC
	}
	if o.Width > 0 {
		o.Width = max(o.Width, minWidth)
	}
	var b bytes.Buffer
	for _, line := range r.heading(o) {
		b.WriteString(cut(line, o.Width) + "\n")
	}
	if len(r.Staples) > 0 {
		b.WriteByte('\n')
		r.stapleTable(o).write(&b, o)
	}
	if len(r.Nodes) > 0 {
		b.WriteByte('\n')
		r.nodeTable(o).write(&b, o)
	}
	if len(r.Canaries) > 0 {
		b.WriteByte('\n')
		r.canaryTable(o).write(&b, o)
	}
	if len(r.Unreadable) > 0 {
		b.WriteString("\nUNREADABLE RECORDS\n")
		for _, u := range r.Unreadable {
			b.WriteString(cut(u.Key+": "+u.Error, o.Width) + "\n")
		}
	}
	if _, err := w.Write(b.Bytes()); err != nil {
		return fmt.Errorf("status: %w", err)
	}
	return nil
}

func (r *Report) heading(o TableOptions) []string {
	lines := []string{r.Now.In(o.Local).Format(time.RFC3339) + "  data_dir"}
	if r.Source == SourceConsul {
		lines[0] = fmt.Sprintf("%s  consul, generation %d", r.Now.In(o.Local).Format(time.RFC3339), r.Generation)
		leader := "nobody leads"
		if r.Leader != nil {
			leader = "led by " + r.Leader.Node + since(r.Leader.Since, o.Local)
		}
		lines = append(lines, leader)
	}
	var states []string
	for _, s := range r.Staples {
		states = append(states, s.State)
	}
	lines = append(lines, count(len(r.Staples), "staple")+tally(states, Revoked, Ended, Missing, Ending, Unstaplable, Failing, Planned, OK))
	if r.Source == SourceConsul || len(r.Nodes) > 0 {
		states = nil
		for _, n := range r.Nodes {
			states = append(states, n.State)
		}
		lines = append(lines, count(len(r.Nodes), "node")+tally(states, Stale, Clock, Trouble, OK))
	}
	return lines
}

// tally is ": 1 ended, 11 ok" in this order of states.
func tally(states []string, order ...string) string {
	var parts []string
	for _, state := range order {
		n := 0
		for _, s := range states {
			if s == state {
				n++
			}
		}
		if n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n, state))
		}
	}
	if len(parts) == 0 {
		return ""
	}
	return ": " + strings.Join(parts, ", ")
}

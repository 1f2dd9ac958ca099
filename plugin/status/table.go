package status

import (
	"bytes"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

// TableOptions say where a table is shown.
type TableOptions struct {
	// Width is the terminal's, in characters; 0 cuts nothing. Below 80 it
	// counts as 80.
	Width int
	// Height is the terminal's, in lines, where no more than that is to be shown; 0
	// shows all.
	Height int
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
	for i, section := range fit(r.sections(o), o.Height) {
		if i > 0 {
			b.WriteByte('\n')
		}
		for _, line := range section {
			b.WriteString(line + "\n")
		}
	}
	if _, err := w.Write(b.Bytes()); err != nil {
		return fmt.Errorf("status: %w", err)
	}
	return nil
}

// sections are the lines of each part, the heading first, then the staples.
func (r *Report) sections(o TableOptions) [][]string {
	var heading []string
	for _, line := range r.heading(o) {
		for _, part := range wrap(line, o.Width, "", "  ") {
			heading = append(heading, strings.ReplaceAll(part, glue, " "))
		}
	}
	list := [][]string{heading}
	add := func(t *table) {
		if len(t.rows) > 0 {
			var b bytes.Buffer
			t.write(&b, o)
			list = append(list, strings.Split(strings.TrimSuffix(b.String(), "\n"), "\n"))
		}
	}
	add(r.stapleTable(o))
	add(r.nodeTable(o))
	if len(r.Canaries) > 0 {
		add(r.canaryTable(o))
	}
	if len(r.Unreadable) > 0 {
		lines := []string{"UNREADABLE RECORDS"}
		for _, u := range r.Unreadable {
			lines = append(lines, u.lines(o.Width)...)
		}
		list = append(list, lines)
	}
	return list
}

// fit takes lines away from the ends of sections, where the worst is not, until all
// of them are on a screen of this height; 0 takes none.
func fit(sections [][]string, height int) [][]string {
	total := len(sections) - 1 // the lines between them
	for _, s := range sections {
		total += len(s)
	}
	if height <= 0 {
		return sections
	}
	for i := 1; i < len(sections) && total > height; i++ {
		// What the sections after the first leave is the first one's.
		s := sections[len(sections)-i]
		least := max(4, height/4)
		if i == len(sections)-1 {
			least = 3
		}
		left := max(least, len(s)-(total-height))
		if left >= len(s) {
			continue
		}
		total -= len(s) - left
		more := fmt.Sprintf("  … and %d more lines", len(s)-left+1)
		sections[len(sections)-i] = append(slices.Clone(s[:left-1]), more)
	}
	return sections
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

// glue is a space at which no line ends.
const glue = "\u2060"

// lines say which record it is and what is wrong with it, below where it is long.
func (u Unreadable) lines(width int) []string {
	if one := u.Key + ": " + u.Error; width <= 0 || utf8.RuneCountInString(one) <= width {
		return []string{one}
	}
	return slices.Concat(wrap(u.Key, width, "", "  "), wrap(u.Error, width, "  ", "    "))
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
			parts = append(parts, fmt.Sprintf("%d%s%s", n, glue, state))
		}
	}
	if len(parts) == 0 {
		return ""
	}
	return ": " + strings.Join(parts, ", ")
}

package main

import (
	"fmt"
	"io"
	"text/tabwriter"
	"time"
)

// table prints indented lines of a label and what belongs to it. What it prints
// may come from anybody: control characters are replaced.
type table struct{ w *tabwriter.Writer }

func newTable(w io.Writer) *table {
	return &table{tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)}
}

// row prints a line, or none if the last cell is empty.
func (t *table) row(cells ...string) {
	if cells[len(cells)-1] == "" {
		return
	}
	for _, cell := range cells {
		fmt.Fprintf(t.w, "\t%s", printable(cell))
	}
	fmt.Fprintln(t.w)
}

func (t *table) flush() { t.w.Flush() }

// moment prints a time together with how far it is from now; nothing for the
// zero time.
func moment(t, now time.Time) string {
	if t.IsZero() {
		return ""
	}
	text := t.UTC().Format(time.RFC3339)
	switch d := t.Sub(now); {
	case d >= 0:
		return fmt.Sprintf("%s (%s left)", text, span(d))
	default:
		return fmt.Sprintf("%s (%s ago)", text, span(-d))
	}
}

// span prints a length of time with at most two units.
func span(d time.Duration) string {
	const day = 24 * time.Hour
	switch {
	case d >= 2*day:
		return fmt.Sprintf("%dd%dh", d/day, d%day/time.Hour)
	case d >= time.Hour:
		return fmt.Sprintf("%dh%dm", d/time.Hour, d%time.Hour/time.Minute)
	case d >= time.Minute:
		return fmt.Sprintf("%dm%ds", d/time.Minute, d%time.Minute/time.Second)
	}
	return fmt.Sprintf("%ds", d/time.Second)
}

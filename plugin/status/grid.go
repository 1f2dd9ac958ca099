package status

import (
	"bytes"
	"slices"
	"strings"
	"unicode/utf8"
)

// table is rows under a head, their cells in aligned columns. The column state is coloured; the flexible
// columns give way, in this order, where the whole is too wide.
type table struct {
	head     []string
	state    int
	flexible []int
	rows     []row
}

type row struct {
	cells []string
	notes []string // below the row
}

const (
	gap       = 2
	minColumn = 12 // of a flexible column
)

func (t *table) write(b *bytes.Buffer, o TableOptions) {
	widths := t.widths(o.Width)
	t.line(b, row{cells: t.head}, widths, o, false)
	for _, r := range t.rows {
		t.line(b, r, widths, o, o.Color)
	}
}

func (t *table) widths(limit int) []int {
	widths := make([]int, len(t.head))
	total := gap * (len(widths) - 1)
	for i := range widths {
		widths[i] = utf8.RuneCountInString(t.head[i])
		for _, r := range t.rows {
			widths[i] = max(widths[i], utf8.RuneCountInString(r.cells[i]))
		}
		total += widths[i]
	}
	if limit <= 0 {
		return widths
	}
	for _, i := range t.flexible {
		less := max(min(total-limit, widths[i]-minColumn), 0)
		widths[i] -= less
		total -= less
	}
	return widths
}

func (t *table) line(b *bytes.Buffer, r row, widths []int, o TableOptions, color bool) {
	var line strings.Builder
	for i, cell := range r.cells {
		cell = cut(cell, widths[i])
		pad := widths[i] - utf8.RuneCountInString(cell)
		if i+1 < len(r.cells) {
			pad += gap
		}
		if color && i == t.state {
			cell = paint(cell)
		}
		line.WriteString(cell + strings.Repeat(" ", pad))
	}
	b.WriteString(strings.TrimRight(line.String(), " ") + "\n")
	notes := r.notes
	if len(notes) > 0 && utf8.RuneCountInString(r.cells[0]) > widths[0] {
		notes = slices.Concat([]string{r.cells[0]}, notes) // who is in trouble has his whole name
	}
	for _, note := range notes {
		for _, line := range wrap(note, o.Width, "  ", "    ") {
			b.WriteString(line + "\n")
		}
	}
}

// maxLines is how many lines a note takes: errors of responders may be long.
const maxLines = 5

// wrap breaks what is too wide between words, and within those that are too long
// for a line. The first line begins with first, the others with next.
func wrap(s string, width int, first, next string) []string {
	if width <= 0 || len(first)+utf8.RuneCountInString(s) <= width {
		return []string{first + s}
	}
	var lines []string
	indent, line := first, ""
	for _, word := range strings.Fields(s) {
		room := width - len(indent)
		switch {
		case line == "":
			line = word
		case utf8.RuneCountInString(line)+1+utf8.RuneCountInString(word) <= room:
			line += " " + word
			continue
		default:
			lines = append(lines, indent+line)
			indent, line = next, word
		}
		for room = width - len(indent); utf8.RuneCountInString(line) > room; room = width - len(indent) {
			runes := []rune(line)
			lines = append(lines, indent+string(runes[:room]))
			indent, line = next, string(runes[room:])
		}
	}
	if lines = append(lines, indent+line); len(lines) > maxLines {
		lines = lines[:maxLines]
		lines[maxLines-1] = cut(lines[maxLines-1]+" …", width)
	}
	return lines
}

// paint colours a state: red for what monitoring calls critical, yellow for
// what needs a look, green for ok.
func paint(state string) string {
	color := "33"
	switch {
	case state == OK:
		color = "32"
	case slices.Contains([]string{Revoked, Ended, Missing}, state):
		color = "31"
	}
	return "\x1b[" + color + "m" + state + "\x1b[0m"
}

// cut shortens s to width characters, the last of them an ellipsis; 0 is no
// limit.
func cut(s string, width int) string {
	if width <= 0 || utf8.RuneCountInString(s) <= width {
		return s
	}
	return string([]rune(s)[:width-1]) + "…"
}

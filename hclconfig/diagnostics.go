package hclconfig

import (
	"io"
	"sort"
	"strings"

	"github.com/hashicorp/hcl/v2"
)

// Diagnostics is everything that is wrong with a configuration: at least one
// error, in the order of the files and lines.
type Diagnostics struct {
	list  hcl.Diagnostics
	files map[string]*hcl.File // tokens blanked out
}

// Error returns a line for each error: place, what is wrong, what to do. It is
// meant for logs; Write shows the lines of the file too.
func (d *Diagnostics) Error() string {
	lines := make([]string, 0, len(d.list))
	for _, diag := range d.list {
		var line strings.Builder
		if diag.Subject != nil {
			line.WriteString(sourceOf(*diag.Subject).String() + ": ")
		}
		line.WriteString(diag.Summary)
		if diag.Detail != "" {
			line.WriteString(": " + strings.Join(strings.Fields(diag.Detail), " "))
		}
		lines = append(lines, line.String())
	}
	return strings.Join(lines, "\n")
}

// Len returns the number of errors.
func (d *Diagnostics) Len() int { return len(d.list) }

// Write prints every error with its place, its lines, and what to do. Details
// are wrapped at width columns, 0 for no wrapping; color is for terminals.
func (d *Diagnostics) Write(w io.Writer, color bool, width int) error {
	return hcl.NewDiagnosticTextWriter(w, d.files, uint(max(width, 0)), color).WriteDiagnostics(d.list)
}

// diagnostics returns what the parser has collected.
func (p *parser) diagnostics() *Diagnostics {
	for _, d := range p.diags {
		// With these the writer would print the values of variables, and a
		// token may be among them.
		d.Expression, d.EvalContext = nil, nil
	}
	for _, f := range p.files {
		f.Bytes = redact(f.Bytes)
	}
	sort.SliceStable(p.diags, func(i, j int) bool { return p.before(p.diags[i].Subject, p.diags[j].Subject) })
	return &Diagnostics{list: p.diags, files: p.files}
}

// before orders places; what has none comes first.
func (p *parser) before(a, b *hcl.Range) bool {
	if a == nil || b == nil {
		return a == nil && b != nil
	}
	if a.Filename != b.Filename {
		return p.order[a.Filename] < p.order[b.Filename]
	}
	return a.Start.Byte < b.Start.Byte
}

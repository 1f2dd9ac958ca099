package hclconfig

import (
	"io"

	"github.com/hashicorp/hcl/v2"
)

// Diagnostics is everything that is wrong with a configuration.
type Diagnostics struct {
	list  hcl.Diagnostics
	files map[string]*hcl.File
}

// Error returns a line for each error: file:line: what is wrong. It is meant
// for logs; Write shows snippets and remedies.
func (d *Diagnostics) Error() string { return d.list.Error() }

// Len returns the number of errors.
func (d *Diagnostics) Len() int { return len(d.list) }

// Write prints every error with its place, its lines, and what to do. Details
// are wrapped at width columns, 0 for no wrapping; color is for terminals.
func (d *Diagnostics) Write(w io.Writer, color bool, width int) error {
	return hcl.NewDiagnosticTextWriter(w, d.files, uint(width), color).WriteDiagnostics(d.list)
}

// MatchHost tells whether a host name or address fits a pattern of
// allowed_responders.
func MatchHost(pattern, host string) bool { return false }

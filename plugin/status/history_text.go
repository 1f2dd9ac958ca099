package status

import (
	"bufio"
	"cmp"
	"fmt"
	"io"
	"strings"
	"time"
)

const (
	textWidth  = 80
	textIndent = 14 // of what follows a label
)

// WriteText writes the history for people, the newest response first, in lines
// of 80 columns where names are not longer than that.
func (h *History) WriteText(out io.Writer) error {
	w := bufio.NewWriter(out)
	line := func(indent, label, text string) {
		if text != "" {
			fmt.Fprintf(w, "%s%-11s %s\n", indent, label, text)
		}
	}
	name := strings.Trim(h.Job+"/"+h.Name, "/")
	line("", "certificate", cmp.Or(name, strings.Join(h.Names, " "), "?"))
	line("", "id", h.ID)
	if name != "" {
		line("", "names", strings.Join(h.Names, " "))
	}
	line("", "serial", h.Serial)
	line("", "issuer", h.Issuer)
	line("", "valid", period(h.NotBefore, h.NotAfter))
	kept := fmt.Sprintf("%d responses", h.Kept)
	if h.Kept == 1 {
		kept = "1 response"
	}
	line("", "kept", kept)
	line("", "at", moment(h.At))
	for _, r := range h.Responses {
		fmt.Fprintln(w)
		h.response(w, r, line)
	}
	if len(h.Responses) == 0 && !h.At.IsZero() {
		fmt.Fprintln(w, "\nnothing is noted of any place that had one of them then")
	}
	for _, wrong := range h.Wrong {
		fmt.Fprintf(w, "\nwrong: %s:\n  %s\n", wrong.File, strings.TrimPrefix(wrong.Error, wrong.File+": "))
	}
	return w.Flush()
}

func (h *History) response(w io.Writer, r KeptResponse, line func(indent, label, text string)) {
	ended := ""
	if !h.At.IsZero() && !r.NextUpdate.IsZero() && r.NextUpdate.Before(h.At) {
		ended = "  (ended by then)"
	}
	if r.Verified {
		fmt.Fprintf(w, "%s  %s%s\n", strings.ToUpper(r.Status), period(r.ThisUpdate, r.NextUpdate), ended)
	} else {
		fmt.Fprintf(w, "NOT VERIFIED  this update %s\n", moment(r.ThisUpdate))
		line("  ", "why", r.Error)
	}
	if !r.RevokedAt.IsZero() {
		line("  ", "revoked", strings.TrimSpace(moment(r.RevokedAt)+"  "+r.RevocationReason))
	}
	if r.Verified {
		line("  ", "signed", moment(r.ProducedAt)+"  "+r.Signer)
	}
	line("  ", "sha256", r.SHA256)
	line("  ", "from", r.Responder)
	line("  ", "verified", moment(r.Kept))
	line("  ", "published", moment(r.Published))
	label := "stapled"
	for _, s := range r.Stapled {
		where := s.Node
		if s.Datacenter != "" {
			where += " (" + s.Datacenter + ")"
		}
		row := fmt.Sprintf("  %-11s %s  %s  %s", label, moment(s.At), where, s.How)
		if s.Target != "" {
			between := "  "
			if len(row)+len(between)+len(s.Target) > textWidth {
				between = "\n" + strings.Repeat(" ", textIndent)
			}
			row += between + s.Target
		}
		fmt.Fprintln(w, row)
		if !s.After.IsZero() {
			fmt.Fprintf(w, "  %-11s %s  not yet\n", "", moment(s.After))
		}
		label = ""
	}
}

func moment(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339)
}

// period is from a time to another, which may be missing.
func period(from, to time.Time) string {
	if from.IsZero() {
		return ""
	}
	if to.IsZero() {
		return moment(from) + " on"
	}
	return moment(from) + " to " + moment(to)
}

package status

import (
	"encoding/json"
	"fmt"
	"io"
)

// WriteJSON writes the report as one indented JSON object and a newline.
func (r *Report) WriteJSON(w io.Writer) error {
	return writeJSON(w, "status", r)
}

// WriteJSON writes the history as one indented JSON object and a newline.
func (h *History) WriteJSON(w io.Writer) error {
	return writeJSON(w, "history", h)
}

func writeJSON(w io.Writer, what string, v any) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(v); err != nil {
		return fmt.Errorf("%s as JSON: %w", what, err)
	}
	return nil
}

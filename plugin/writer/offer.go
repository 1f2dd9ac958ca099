package writer

import (
	"context"

	"github.com/consul-ocsp/consul-ocsp/plugin/record"
)

// Offer considers responses ahead of a Pass, and is the ids of those that were
// let in for at least one file: verified, and newer than what data_dir and the
// file hold. Not during Run.
func (w *Writer) Offer(ctx context.Context, list []record.Staple) []string {
	var taken []string
	for _, st := range list {
		if ctx.Err() != nil {
			break
		}
		in := false
		for _, e := range w.entriesOf(st.ID) {
			in = w.consider(e, st) || in
			w.keep(e)
		}
		if in {
			taken = append(taken, st.ID)
		}
	}
	return taken
}

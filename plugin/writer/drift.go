package writer

import (
	"slices"
	"time"
)

// compare has a share of what a target was told be looked at again, and the
// files with it: that within CompareInterval everything is looked at once, and
// never much at a time, which a revocation would have to wait for. Who forgets
// nothing has no epoch, and is not asked.
func (w *Writer) compare(t *teller) {
	if t.epoch == "" {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.run == nil {
		return // Run ends
	}
	now := time.Now() // not the clock, which may jump
	most := 1 + len(w.entries)*int(w.config.EpochInterval)/int(w.config.CompareInterval)
	for _, e := range w.entries {
		d := e.targets[t.target]
		if d == nil || d.err != nil || e.applied == nil || now.Sub(d.seen) < w.config.CompareInterval {
			continue
		}
		d.compared, d.seen = true, now
		w.run.files.add(e)
		t.queue.add(e)
		if most--; most <= 0 {
			return
		}
	}
}

// asBefore notes a comparison that found what it should: what is known of the
// installation itself stays.
func (d *delivery) asBefore(outcome Outcome, sha256 string, filed bool) bool {
	if !d.compared || d.err != nil || d.step.err != nil || d.sha256 != sha256 || d.filed != filed || outcome.How != Unchanged {
		return false
	}
	d.compared, d.seen = false, time.Now()
	return true
}

// drifted reports whether a comparison found something else than what had been
// installed.
func (d *delivery) drifted(outcome Outcome, sha256 string) bool {
	return d.compared && d.err == nil && d.sha256 == sha256 && d.outcome.How != Filed &&
		!slices.Contains([]string{Unchanged, Filed, "newer"}, outcome.How)
}

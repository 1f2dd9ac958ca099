package writer

import (
	"context"
	"time"

	"github.com/consul-ocsp/consul-ocsp/plugin/staple"
)

// installed is what came of telling a target of one entry: its Outcome's How.
type installed struct {
	how string
	err error
}

// atOnce is of how many certificates a target is told in one call.
func atOnce(target Target) int {
	if b, ok := target.(Batch); ok {
		return max(1, b.AtOnce())
	}
	return 1
}

// installAll tells target of what entries have applied; what it returns is in
// their order.
func (w *Writer) installAll(ctx context.Context, entries []*entry, target Target) []installed {
	all := make([]installed, len(entries))
	var which []int
	var list []Staple
	for i, e := range entries {
		if s, ok := w.installable(e); ok {
			which, list = append(which, i), append(list, s)
		}
	}
	var done []Installed
	if b, ok := target.(Batch); ok && len(list) > 0 {
		done = b.InstallAll(ctx, list)
	} else {
		for _, s := range list {
			outcome, err := target.Install(ctx, s)
			done = append(done, Installed{outcome, err})
		}
	}
	for k, i := range which {
		all[i].how, all[i].err = w.note(ctx, entries[i], target, list[k], done[k])
	}
	for _, e := range entries {
		w.news(e)
	}
	return all
}

// installable is what a target is to be told of e; false for nothing.
func (w *Writer) installable(e *entry) (Staple, bool) {
	w.mu.Lock()
	facts, filed, gone := e.applied, e.filed, e.gone
	w.mu.Unlock()
	// What fitted when it was written may be about to end by now, and would
	// then take away what is there.
	if facts == nil || gone || e.cert.fits(facts, w.now()) != nil {
		return Staple{}, false
	}
	s := Staple{Certificate: e.cert, Facts: facts}
	if filed {
		s.File = e.cert.file()
	}
	return s, true
}

// note keeps what came of telling target of s.
func (w *Writer) note(ctx context.Context, e *entry, target Target, s Staple, done Installed) (how string, err error) {
	if done.Err != nil && ctx.Err() != nil {
		return "", ctx.Err() // stopped, not failed
	}
	outcome, facts, filed, now := done.Outcome, s.Facts, s.File != "", w.now()
	w.mu.Lock()
	defer w.mu.Unlock()
	d := e.targets[target]
	if d == nil {
		d = &delivery{}
		e.targets[target] = d
	}
	if done.Err != nil {
		if d.err == nil {
			d.since = now
		}
		d.err = done.Err
		d.failures++
		w.pushed(target, "", done.Err)
		return "", done.Err
	}
	if d.asBefore(outcome, facts.SHA256(), filed) {
		return outcome.How, nil
	}
	drifted := d.drifted(outcome, facts.SHA256())
	news := (d.status != facts.Status || !d.given) && d.err == nil // else it is told that it works again
	*d = delivery{given: d.given || outcome.How != Unchanged, sha256: facts.SHA256(), status: facts.Status, filed: filed, outcome: outcome, at: now, seen: time.Now(), step: d.step, complaint: d.complaint, said: d.said}
	if outcome.Served {
		d.step = stepFailure{}
	}
	w.logOutcome(e, target, outcome, facts, news, drifted)
	w.pushed(target, outcome.How, nil)
	return outcome.How, nil
}

// pushed tells Config.Pushed.
func (w *Writer) pushed(target Target, how string, err error) {
	if w.config.Pushed == nil {
		return
	}
	reason := ""
	if err != nil {
		reason = targetReason(err)
	}
	w.config.Pushed(target.Name(), how, reason)
}

// logOutcome says what a target was given. That a response follows another of the
// same status is news once, to see that it works. The caller holds mu.
func (w *Writer) logOutcome(e *entry, target Target, outcome Outcome, facts *staple.Facts, news, drifted bool) {
	if drifted {
		var once *complaint // it is over with this
		level, more := w.complain(&once, drifts, target.Name())
		w.leave(&once)
		w.log.Log(level, "somebody else replaced what was served; it is served again"+more, "target", target.Name(), "job", e.cert.Job, "name", e.cert.Name, "how", outcome.How)
	} else if outcome.How != Unchanged {
		level, more := w.fine(news)
		w.log.Log(level, "installed"+more, "target", target.Name(), "job", e.cert.Job, "name", e.cert.Name, "how", outcome.How,
			"status", facts.Status, "this_update", facts.ThisUpdate.UTC().Format(time.RFC3339))
	}
}

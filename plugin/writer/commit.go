package writer

import (
	"cmp"
	"context"
	"time"
)

// stepFailure is what keeps what was installed from being served.
type stepFailure struct {
	err   error
	since time.Time
	count int
}

// commit has a Committer take its step, and notes for each certificate what
// came of it.
func (w *Writer) commit(ctx context.Context, target Target, last bool) (done bool) {
	c, ok := target.(Committer)
	if !ok {
		return false
	}
	did, err := c.Commit(ctx, last)
	if ctx.Err() != nil || err == nil && !did.Done {
		return false
	}
	w.pushed(target, Reloaded, err)
	w.mu.Lock()
	var told []*entry
	for _, e := range w.entries {
		if d := e.targets[target]; d != nil {
			d.committed(did, cmp.Or(err, did.Wrong[e.cert.Path]), w.now())
			told = append(told, e)
		}
	}
	w.mu.Unlock()
	for _, e := range told {
		w.news(e)
	}
	return did.Done
}

// committed notes a step, or what kept it from being taken: that is nothing to
// those who don't wait for it.
func (d *delivery) committed(did Commitment, err error, now time.Time) {
	if !did.Done && d.outcome.How != Filed {
		return
	}
	if did.Done && d.outcome.How == Filed {
		d.outcome.How, d.at = Reloaded, now
	}
	if err == nil {
		d.step = stepFailure{}
		return
	}
	if d.step.err == nil {
		d.step.since = now
	}
	d.step.err = err
	d.step.count++
}

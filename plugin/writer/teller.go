package writer

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/hashicorp/go-hclog"
)

// epochTimeout bounds one question for a target's epoch.
const epochTimeout = 10 * time.Second

// teller tells one target, of one certificate at a time.
type teller struct {
	target Target
	queue  *queue
	cancel context.CancelFunc

	epoch string // "": not known
}

// startTellers starts a teller for each target that has none, and ends those
// of targets no longer used. The caller holds mu.
func (w *Writer) startTellers() {
	used := map[Target][]*entry{}
	for _, e := range w.entries {
		for _, t := range e.cert.Targets {
			used[t] = append(used[t], e)
		}
	}
	for target, t := range w.tellers {
		if used[target] == nil {
			t.cancel()
			delete(w.tellers, target)
		}
	}
	for target, entries := range used {
		if w.tellers[target] != nil {
			continue
		}
		ctx, cancel := context.WithCancel(w.run.ctx)
		t := &teller{
			target: target,
			queue:  newQueue(w.config.FirstRetry, w.config.LongestRetry, w.config.Random),
			cancel: cancel,
		}
		w.tellers[target] = t
		for _, e := range entries {
			if e.applied != nil { // of the others it is told once they have something
				t.queue.add(e)
			}
		}
		r := w.run
		r.wg.Add(1)
		// Ends with Run, or when the target is no longer used.
		go func() {
			defer r.wg.Done()
			defer cancel()
			w.serve(ctx, t)
			t.queue.stop()
		}()
	}
}

// tell has e's targets told of what they were not told of yet.
func (w *Writer) tell(e *entry) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if e.applied == nil || e.gone {
		return
	}
	sum := e.applied.SHA256()
	for _, target := range e.cert.Targets {
		d := e.targets[target]
		if d != nil && d.err == nil && d.sha256 == sum && d.filed == e.filed {
			continue
		}
		if t := w.tellers[target]; t != nil {
			t.queue.add(e)
		}
	}
}

// serve is a teller's loop.
func (w *Writer) serve(ctx context.Context, t *teller) {
	// Before the first Install, so that no restart after it goes unnoticed.
	t.epoch, _ = epochOf(ctx, t.target)
	tick := time.NewTicker(w.config.EpochInterval)
	defer tick.Stop()
	for ctx.Err() == nil {
		select {
		case <-tick.C:
			w.look(ctx, t)
			continue
		default:
		}
		if entries := t.queue.takeSome(atOnce(t.target)); len(entries) > 0 {
			w.tellAll(ctx, t, entries)
			continue
		}
		w.commit(ctx, t.target, false)
		select {
		case <-ctx.Done():
		case <-t.queue.ready:
		case <-tick.C:
			w.look(ctx, t)
		}
	}
}

// tellAll tells the target of entries that were taken from its queue.
func (w *Writer) tellAll(ctx context.Context, t *teller, entries []*entry) {
	for i, done := range w.installAll(ctx, entries, t.target) {
		if done.how == Reloaded && done.err == nil {
			// Our own doing, and what it dropped it read from the files.
			if epoch, err := epochOf(ctx, t.target); err == nil {
				t.epoch = epoch
			}
		}
		w.logInstall(ctx, t, entries[i], done.err)
		t.queue.done(entries[i], done.err != nil)
	}
}

// look is done every EpochInterval.
func (w *Writer) look(ctx context.Context, t *teller) {
	w.watch(ctx, t)
	w.compare(t)
}

func epochOf(ctx context.Context, t Target) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, epochTimeout)
	defer cancel()
	return t.Epoch(ctx)
}

// watch has everything installed again when what is behind the target has
// forgotten it. Whoever starts a server may have put its files in place anew:
// those are looked at too, for the start after this one.
func (w *Writer) watch(ctx context.Context, t *teller) {
	epoch, err := epochOf(ctx, t.target)
	if err != nil || epoch == t.epoch {
		return
	}
	t.epoch = epoch
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.run == nil {
		return // Run ends
	}
	n := 0
	for _, e := range w.entries {
		for _, target := range e.cert.Targets {
			if target == t.target && e.applied != nil {
				if d := e.targets[target]; d != nil {
					d.compared = false
				}
				t.queue.add(e)
				w.run.files.add(e)
				n++
			}
		}
	}
	w.log.Info("target was restarted or reloaded, everything is installed again", "target", t.target.Name(), "certificates", n)
}

// logInstall warns of a target's failures, but not for each certificate.
func (w *Writer) logInstall(ctx context.Context, t *teller, e *entry, err error) {
	if err != nil && ctx.Err() != nil && errors.Is(err, ctx.Err()) {
		return
	}
	w.mu.Lock()
	d := e.targets[t.target]
	if d == nil || e.gone {
		w.mu.Unlock()
		return
	}
	if err == nil {
		was, troubled := strings.Join(d.said, ","), d.complaint != nil
		d.said = nil
		w.mu.Unlock()
		if troubled {
			w.relieved(e, &d.complaint, "target works again", was, "target", t.target.Name())
		}
		return
	}
	level, more, reason := hclog.Debug, "", targetReason(err)
	if !slices.Contains(d.said, reason) {
		d.said = append(d.said, reason)
		level, more = w.complain(&d.complaint, untold, t.target.Name()+" "+reason)
	}
	w.mu.Unlock()
	w.log.Log(level, "not installed"+more, "target", t.target.Name(), "job", e.cert.Job, "name", e.cert.Name, "reason", reason, "error", err)
}

func targetReason(err error) string {
	if r := ReasonOf(err); r != "" {
		return r
	}
	return ReasonTarget
}

package writer

import (
	"context"
	"errors"
	"time"
)

// Run writes and installs what Set found, then follows src, until ctx ends or
// src fails. It returns src's error, nil for the end of ctx, after everything
// that it started has ended.
func (w *Writer) Run(ctx context.Context, src Source) error {
	work, cancel := context.WithCancel(ctx)
	r := &running{ctx: work, files: newQueue(w.config.FirstRetry, w.config.LongestRetry, w.config.Random)}
	w.mu.Lock()
	if w.run != nil {
		w.mu.Unlock()
		cancel()
		return errors.New("the writer runs already")
	}
	w.run = r
	w.startTellers()
	for _, e := range w.entries {
		r.files.add(e)
	}
	w.mu.Unlock()
	for range fileWorkers {
		r.wg.Add(1)
		// Ends with work.
		go func() {
			defer r.wg.Done()
			w.writeFiles(r)
		}()
	}
	r.wg.Add(1)
	// Ends with work.
	go func() {
		defer r.wg.Done()
		w.askAgain(work)
	}()
	r.wg.Add(1)
	// Ends with work.
	go func() {
		defer r.wg.Done()
		w.watchEnds(work)
	}()
	err := src.Follow(work, w.ids, w.holds, w.deliver, w.wake)
	cancel()
	w.mu.Lock()
	w.run = nil // from here on Set starts nothing
	w.mu.Unlock()
	r.wg.Wait()
	r.files.stop()
	w.mu.Lock()
	clear(w.tellers)
	w.mu.Unlock()
	if ctx.Err() != nil {
		return nil
	}
	return err
}

// writeFiles is one worker's loop.
func (w *Writer) writeFiles(r *running) {
	for {
		e := r.files.take()
		if e == nil {
			select {
			case <-r.ctx.Done():
				return
			case <-r.files.ready:
			}
			continue
		}
		_, err := w.handle(r.ctx, e)
		r.files.done(e, err != nil)
		if r.ctx.Err() != nil {
			return
		}
	}
}

// enqueue has e written and installed, where Run does that.
func (w *Writer) enqueue(e *entry) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.run != nil {
		w.run.files.add(e)
	}
}

// askAgain wakes the source for what a slow clock made us refuse: it is not
// delivered a second time otherwise.
func (w *Writer) askAgain(ctx context.Context) {
	tick := time.NewTicker(earlyInterval)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		w.mu.Lock()
		for _, e := range w.entries {
			if e.early {
				w.wakeSource()
				break
			}
		}
		w.mu.Unlock()
	}
}

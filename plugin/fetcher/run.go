package fetcher

import (
	"container/heap"
	"context"
	"sync"
	"time"
)

// Run fetches whatever is due, until ctx ends; then it returns nil once every
// exchange is broken off. What was fetched by then is stored, even if it could
// not be published.
func (f *Fetcher) Run(ctx context.Context) error {
	f.running.Lock()
	defer f.running.Unlock()
	r := &round{f: f, ctx: ctx, lanes: newLanes(ctx, f.limitOf), storing: make(chan struct{}, mostStored), again: true, patient: true}
	f.hosts.begin()
	// A turn comes because it is due, except that what is found in the store at
	// a certificate's first turn is given its time then.
	r.fresh = func(l life, _ pace, found bool) bool {
		return found && !f.c.Prompt && l.until.After(f.c.Now())
	}
	r.finished = func(*item, Result) { f.wakeUp() }
	var carriers sync.WaitGroup
	// Both end with ctx.
	carriers.Go(func() { f.publishing().run(ctx, nil) })
	carriers.Go(func() { f.reporting().run(ctx, nil) })
	f.dispatch(ctx, r)
	r.lanes.wait()
	carriers.Wait()
	f.release()
	return nil
}

// dispatch begins turns as they come due, until ctx ends.
func (f *Fetcher) dispatch(ctx context.Context, r *round) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		items, wait := f.takeDue()
		for _, it := range items {
			r.begin(it)
		}
		timer.Reset(wait)
		select {
		case <-ctx.Done():
			return
		case <-f.wake:
		case <-timer.C:
		}
	}
}

// idle is how long Run sleeps at most: then it looks whether the clock was set.
const idle = time.Minute

// takeDue makes busy what is due, and says how long until the next is.
func (f *Fetcher) takeDue() ([]*item, time.Duration) {
	f.mu.Lock()
	defer f.mu.Unlock()
	now := f.c.Now()
	if now.Before(f.looked) {
		f.clockWentBack(now)
	}
	f.looked = now
	var items []*item
	for len(f.due) > 0 {
		if wait := f.due[0].next.Sub(now); wait > 0 {
			return items, min(wait, idle)
		}
		it := heap.Pop(&f.due).(*item)
		it.busy = true
		items = append(items, it)
	}
	return items, idle
}

// clockWentBack brings turns near again that are further away than any pause.
func (f *Fetcher) clockWentBack(now time.Time) {
	for _, it := range f.items {
		if most := it.settings.MaxDelay; it.index >= 0 && it.next.Sub(now) > most {
			f.queue(it, now.Add(time.Duration(f.c.Rand()*float64(most))))
		}
	}
}

// release gives a turn again to what had one when the round ended.
func (f *Fetcher) release() {
	f.mu.Lock()
	defer f.mu.Unlock()
	now := f.c.Now()
	for _, it := range f.items {
		if it.busy {
			it.busy, it.again = false, false
			f.queue(it, now)
		}
	}
}

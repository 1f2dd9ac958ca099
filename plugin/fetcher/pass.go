package fetcher

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/consul-ocsp/consul-ocsp/plugin/responder"
)

// PassOptions say what a pass does.
type PassOptions struct {
	// Force fetches all, whatever the schedule says.
	Force bool
	// DryRun fetches and verifies, and neither stores nor publishes.
	DryRun bool
	// Only chooses the targets; nil: all.
	Only func(Target) bool
	// Told is told of the end of each turn, how many of how many are over and how
	// many of these failed; with the fetcher's mu held, so it must return soon.
	Told func(done, total, failed int)
}

// Pass gives each target one turn, those that end first before others, and
// returns one result for each in the order of job, name and id. Published is
// what could be when it returns. A pass tries each responder once and never
// waits for a retry time; on a host where everything fails it gives up. What is unfinished when ctx ends has failed. A little
// of the time that ctx leaves is kept for publishing.
func (f *Fetcher) Pass(ctx context.Context, o PassOptions) []Result {
	f.running.Lock()
	defer f.running.Unlock()
	chosen := f.choose(o.Only)
	fetching, cancel := earlier(ctx)
	defer cancel()
	results := make(map[*item]Result, len(chosen))
	r := &round{f: f, ctx: fetching, lanes: newLanes(fetching, f.limitOf), storing: make(chan struct{}, mostStored), dry: o.DryRun}
	f.hosts.begin()
	r.fresh = func(l life, p pace, _ bool) bool { return !o.Force && !l.due(f.c.Now(), p) }
	failed := 0
	r.finished = func(it *item, r Result) {
		results[it] = r
		if r.Outcome == Failed {
			failed++
		}
		if o.Told != nil {
			o.Told(len(results), len(chosen), failed)
		}
	}

	finish := make(chan struct{})
	var carriers sync.WaitGroup
	if !o.DryRun {
		// Both end soon after finish, or with ctx.
		publishing := f.publishing()
		publishing.gather = max(publishing.gather, passGather)
		carriers.Go(func() { publishing.run(ctx, finish) })
		carriers.Go(func() { f.reporting().run(ctx, finish) })
	}
	for _, c := range chosen {
		r.begin(c.it)
	}
	r.lanes.wait()
	close(finish)
	carriers.Wait()
	f.release()

	list := make([]Result, 0, len(chosen))
	for _, c := range chosen {
		result, finished := results[c.it]
		if !finished {
			result = f.unfinished(ctx, c.it)
		}
		result.Target = c.target
		list = append(list, f.unpublished(result))
	}
	slices.SortFunc(list, func(a, b Result) int {
		return cmp.Or(cmp.Compare(a.Target.Job, b.Target.Job), cmp.Compare(a.Target.Name, b.Target.Name), cmp.Compare(a.Target.ID, b.Target.ID))
	})
	return list
}

// chosen is an item of a pass, and the target by which it was chosen.
type chosen struct {
	it     *item
	target Target
}

// choose makes the items of a pass busy.
func (f *Fetcher) choose(only func(Target) bool) []chosen {
	f.mu.Lock()
	defer f.mu.Unlock()
	var list []chosen
	for _, it := range f.items {
		for _, t := range it.targets() {
			if only == nil || only(t) {
				f.unqueue(it)
				it.busy = true
				list = append(list, chosen{it: it, target: t})
				break
			}
		}
	}
	return list
}

// passGather is the least time for which a pass collects responses: it costs
// nothing, since the end of fetching ends it.
const passGather = 250 * time.Millisecond

// publishTime is the most that a pass keeps of its time for publishing.
const publishTime = 2 * time.Second

// earlier ends a little before ctx.
func earlier(ctx context.Context) (context.Context, context.CancelFunc) {
	deadline, ok := ctx.Deadline()
	if !ok {
		return context.WithCancel(ctx)
	}
	return context.WithDeadline(ctx, deadline.Add(-min(publishTime, time.Until(deadline)/10)))
}

// unfinished is the result of a turn that the end of the pass broke off.
func (f *Fetcher) unfinished(ctx context.Context, it *item) Result {
	f.mu.Lock()
	defer f.mu.Unlock()
	r := Result{Outcome: Failed, Reason: Timeout, Err: fmt.Errorf("the pass ended before it was done"), Kept: it.alive(f.c.Now()), Next: it.next}
	if errors.Is(ctx.Err(), context.Canceled) {
		r.Reason = string(responder.Canceled)
	}
	r.Staple = it.held.result(it.id)
	return r
}

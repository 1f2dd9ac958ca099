package writer

import (
	"context"
	"maps"
	"slices"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/consul-ocsp/consul-ocsp/plugin/record"
)

// The words of a Result's Outcome.
const (
	Applied   = "applied"   // a file or a target got something new
	Unchanged = "unchanged" // file and targets had it
	Missing   = "missing"   // there is no staple yet
	Failed    = "failed"    // see the State's reasons
)

// Result is what a Pass did for one certificate.
type Result struct {
	Outcome string
	// Reason and Error say what is wrong, as State.Failing does.
	Reason, Error string
	State         State
}

// Pass writes and installs once what list, data_dir and files hold for the
// certificates, without following or trying again. Targets are told side by
// side. Results are in the order of States. Not during Run.
func (w *Writer) Pass(ctx context.Context, list []record.Staple) []Result {
	w.deliver(ctx, list)
	w.mu.Lock()
	entries := slices.Collect(maps.Values(w.entries))
	told := map[Target][]*entry{}
	for _, e := range entries {
		for _, t := range e.cert.Targets {
			told[t] = append(told[t], e)
		}
	}
	w.mu.Unlock()
	var mu sync.Mutex
	changed := map[*entry]bool{}
	step := w.steps(entries, told)
	var writing errgroup.Group
	writing.SetLimit(fileWorkers)
	for _, e := range entries {
		writing.Go(func() error { // ends by itself
			if ctx.Err() != nil {
				return nil
			}
			did, _ := w.handle(ctx, e) // the state has the error
			mu.Lock()
			changed[e] = did
			mu.Unlock()
			step(1)
			return nil
		})
	}
	_ = writing.Wait()
	var wg sync.WaitGroup
	for target, list := range told {
		wg.Add(1)
		// Ends when the target was told of all its certificates; ctx ends Install.
		go func() {
			defer wg.Done()
			for some := range slices.Chunk(list, atOnce(target)) {
				if ctx.Err() != nil {
					return
				}
				for i, done := range w.installAll(ctx, some, target) {
					mu.Lock()
					changed[some[i]] = changed[some[i]] || done.err == nil && done.how != "" && done.how != Unchanged
					mu.Unlock()
				}
				step(len(some))
			}
			w.commit(ctx, target, true)
		}()
	}
	wg.Wait()
	return w.results(ctx, entries, changed)
}

// steps counts what a pass does, for those who wait for its end.
func (w *Writer) steps(entries []*entry, told map[Target][]*entry) (step func(n int)) {
	if w.config.Stepped == nil {
		return func(int) {}
	}
	done, total := 0, len(entries)
	for _, list := range told {
		total += len(list)
	}
	var mu sync.Mutex
	return func(n int) {
		mu.Lock()
		defer mu.Unlock()
		done += n
		w.config.Stepped(done, total)
	}
}

func (w *Writer) results(ctx context.Context, entries []*entry, changed map[*entry]bool) []Result {
	w.mu.Lock()
	defer w.mu.Unlock()
	results := make([]Result, 0, len(entries))
	for _, e := range entries {
		r := Result{State: w.state(e), Outcome: Unchanged}
		r.Reason, r.Error = r.State.Failing()
		switch {
		case r.Reason == ReasonWaiting:
			r.Outcome = Missing
		case r.Reason == ReasonKept:
			// As the operator wants it.
		case r.Reason != "":
			r.Outcome = Failed
		case ctx.Err() != nil:
			r.Outcome, r.Error = Failed, ctx.Err().Error()
		case changed[e]:
			r.Outcome = Applied
		}
		results = append(results, r)
	}
	slices.SortFunc(results, func(a, b Result) int { return a.State.compare(b.State) })
	return results
}

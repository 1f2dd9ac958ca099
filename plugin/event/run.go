package event

import (
	"context"
	"sync"
	"time"
)

// keepPause is how long changes of the memory are gathered.
const keepPause = time.Second

// Run reads the memory, calls ready, and tells until ctx ends. Events that wait
// then were not told, and whoever tells next finds them again.
func (t *Teller) Run(ctx context.Context, ready func()) {
	t.load(ctx)
	ready()
	var group sync.WaitGroup
	for _, s := range t.sinks {
		group.Go(func() { s.run(ctx, nil) }) // ends with ctx
	}
	for ctx.Err() == nil {
		select {
		case <-t.keep:
			t.save(ctx)
		case <-ctx.Done():
			continue
		}
		select {
		case <-time.After(keepPause):
		case <-ctx.Done():
		}
	}
	group.Wait()
}

// Flush reads the memory, calls observe, and tells what that observes, for as
// long as ctx allows.
func (t *Teller) Flush(ctx context.Context, observe func()) {
	t.load(ctx)
	observe()
	end := make(chan struct{})
	close(end)
	var group sync.WaitGroup
	for _, s := range t.sinks {
		group.Go(func() { s.run(ctx, end) }) // ends with ctx, or when nothing waits
	}
	group.Wait()
	select {
	case <-t.keep:
		t.save(context.WithoutCancel(ctx))
	default:
	}
}

package fetcher

import (
	"context"

	"github.com/consul-ocsp/consul-ocsp/plugin/record"
)

const (
	// mostStaples is how many responses are handed over at once. The Publisher
	// divides them further as it needs.
	mostStaples = 4096
	// mostTroubles: each trouble is handed over by itself.
	mostTroubles = 1
)

// publishing carries responses to the Publisher.
func (f *Fetcher) publishing() carrier[record.Staple] {
	said := ""
	return carrier[record.Staple]{
		box: f.out.staples, gather: f.c.Gather, most: mostStaples, rand: f.c.Rand,
		send: func(ctx context.Context, batch []entry[record.Staple]) error {
			list := make([]record.Staple, 0, len(batch))
			for _, e := range batch {
				list = append(list, e.value)
			}
			if err := f.c.Publisher.Publish(ctx, list); err != nil {
				return err
			}
			f.mu.Lock()
			f.counts.Published += uint64(len(list))
			for _, st := range list {
				f.delivered(st)
			}
			f.mu.Unlock()
			if said != "" {
				said = ""
				f.c.Logger.Info("responses are published again", "responses", len(list))
			}
			return nil
		},
		failed: func(err error, failures int) {
			f.mu.Lock()
			f.counts.Failures[Publish]++
			f.mu.Unlock()
			if said != err.Error() {
				said = err.Error()
				f.c.Logger.Warn("responses were not published; they are kept and tried again", "reason", Publish, "error", err)
			}
			f.setPublishError(err)
		},
	}
}

// reporting carries troubles to the Publisher.
func (f *Fetcher) reporting() carrier[*record.Trouble] {
	return carrier[*record.Trouble]{
		box: f.out.troubles, most: mostTroubles, rand: f.c.Rand,
		send: func(ctx context.Context, batch []entry[*record.Trouble]) error {
			for _, e := range batch {
				if err := f.c.Publisher.Trouble(ctx, e.id, e.value); err != nil {
					return err
				}
			}
			return nil
		},
		failed: func(err error, failures int) {
			if failures == 1 {
				f.c.Logger.Warn("a trouble was not reported; it is tried again", "error", err)
			}
		},
	}
}

func (f *Fetcher) setPublishError(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.publishError = err
	f.undelivered(err)
}

// unpublished turns the result of a response that is still in the box into a
// failure.
func (f *Fetcher) unpublished(r Result) Result {
	if r.Outcome != Fetched || !f.out.staples.waits(r.Target.ID) {
		return r
	}
	f.mu.Lock()
	err := f.publishError
	f.mu.Unlock()
	r.Outcome, r.Reason, r.Err = Failed, Publish, notPublished(err)
	return r
}

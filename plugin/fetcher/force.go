package fetcher

import (
	"context"
	"fmt"

	"github.com/consul-ocsp/consul-ocsp/plugin/record"
)

// Force gives the targets with these ids a turn now, whatever schedule, earlier
// failures and Retry-After say, in the Run that is under way or the next one.
// answer is told what came of each, one after the other, as soon as it is known:
// a new response once it is published, or could not be. Of an id that no target
// has it is told nothing. Force returns when all is told or ctx ends.
func (f *Fetcher) Force(ctx context.Context, ids []string, answer func(Result)) {
	results := make(chan Result, len(ids)) // room for all: nobody waits with mu held
	for range f.force(ids, func(r Result) { results <- r }) {
		select {
		case r := <-results:
			answer(r)
		case <-ctx.Done():
			return
		}
	}
}

// force has tell called once for each of as many targets as it returns.
func (f *Fetcher) force(ids []string, tell func(Result)) (known int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	now, seen := f.c.Now(), map[string]bool{}
	for _, id := range ids {
		it := f.items[id]
		if it == nil || seen[id] {
			continue
		}
		seen[id] = true
		known++
		it.forced = append(it.forced, tell)
		f.hosts.again(it.target().urls())
		if it.busy { // what is asked by now may be from before
			it.again = true
			continue
		}
		f.queue(it, now)
	}
	f.wakeUp()
	return known
}

// delivery is a forced response on its way to the Publisher. It is over when
// the turn has ended and the Publisher has taken the response, or refused it.
type delivery struct {
	sha256 string
	tell   []func(Result)
	result *Result // of the turn; nil: it has not ended
	sent   bool
	err    error
}

// deliver begins a delivery, with the fetcher's mu held, before the response is
// handed on.
func (t *turn) deliver(st record.Staple) {
	if len(t.forced) == 0 {
		return
	}
	t.delivery = &delivery{sha256: st.Meta.SHA256, tell: t.forced}
	t.f.deliveries[st.ID] = append(t.f.deliveries[st.ID], t.delivery)
}

// answer tells who forced the turn how it ended, with the fetcher's mu held.
func (t *turn) answer(r Result) {
	if t.delivery != nil {
		t.delivery.result = &r
		t.delivery.finish()
		return
	}
	for _, tell := range t.forced {
		tell(r)
	}
}

// finish tells the result if it is complete.
func (d *delivery) finish() bool {
	if d.result == nil || !d.sent && d.err == nil {
		return false
	}
	r := *d.result
	if !d.sent {
		r.Outcome, r.Reason, r.Err = Failed, Publish, notPublished(d.err)
	}
	for _, tell := range d.tell {
		tell(r)
	}
	d.tell = nil
	return true
}

// delivered notes what the Publisher has taken, with the fetcher's mu held.
func (f *Fetcher) delivered(st record.Staple) {
	f.deliveriesOf(st.ID, func(d *delivery) bool {
		d.sent = d.sent || d.sha256 == st.Meta.SHA256
		return d.sent
	})
}

// undelivered notes that the Publisher refuses, with the fetcher's mu held.
func (f *Fetcher) undelivered(err error) {
	for id := range f.deliveries {
		f.deliveriesOf(id, func(d *delivery) bool {
			d.err = err
			return d.finish()
		})
	}
}

// deliveriesOf finishes those deliveries of id that are over.
func (f *Fetcher) deliveriesOf(id string, over func(*delivery) bool) {
	var left []*delivery
	for _, d := range f.deliveries[id] {
		if over(d) {
			d.finish()
		} else {
			left = append(left, d)
		}
	}
	if f.deliveries[id] = left; len(left) == 0 {
		delete(f.deliveries, id)
	}
}

func notPublished(err error) error {
	return fmt.Errorf("response was stored, not published: %w", err)
}

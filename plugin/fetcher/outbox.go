package fetcher

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/consul-ocsp/consul-ocsp/plugin/record"
)

// outbox is what waits to be carried to the Publisher. Responses and troubles
// wait apart: reporting ten thousand troubles must not hold up one response.
type outbox struct {
	staples  *box[record.Staple]
	troubles *box[*record.Trouble]
}

func newOutbox() *outbox {
	return &outbox{
		staples:  newBox(func(st, over record.Staple) bool { return st.Meta.Supersedes(over.Meta) }),
		troubles: newBox[*record.Trouble](nil),
	}
}

// publish takes a response; a revocation goes before the others.
func (o *outbox) publish(st record.Staple) { o.staples.put(st.ID, st, st.Meta.Status == "revoked") }

// trouble takes a trouble of id; nil: there is none any more.
func (o *outbox) trouble(id string, t *record.Trouble) { o.troubles.put(id, t, false) }

// box is a queue with one entry for an id: a later one takes its place, unless
// what is there outranks it.
type box[V any] struct {
	mu       sync.Mutex
	byID     map[string]V
	order    []string
	outranks func(v, over V) bool // nil: the later one counts
	// added has an entry after each put.
	added chan struct{}
}

type entry[V any] struct {
	id    string
	value V
}

func newBox[V any](outranks func(v, over V) bool) *box[V] {
	if outranks == nil {
		outranks = func(V, V) bool { return false }
	}
	return &box[V]{byID: make(map[string]V), outranks: outranks, added: make(chan struct{}, 1)}
}

func (b *box[V]) put(id string, v V, first bool) {
	b.mu.Lock()
	old, waits := b.byID[id]
	if waits && b.outranks(old, v) {
		b.mu.Unlock()
		return
	}
	if !waits {
		b.order = append(b.order, id)
	}
	b.byID[id] = v
	if first {
		at := slices.Index(b.order, id)
		b.order = slices.Insert(slices.Delete(b.order, at, at+1), 0, id)
	}
	b.mu.Unlock()
	select {
	case b.added <- struct{}{}:
	default: // one is enough to wake the carrier
	}
}

// take removes up to n entries from the front.
func (b *box[V]) take(n int) []entry[V] {
	b.mu.Lock()
	defer b.mu.Unlock()
	ids := b.order[:min(n, len(b.order))]
	entries := make([]entry[V], 0, len(ids))
	for _, id := range ids {
		entries = append(entries, entry[V]{id: id, value: b.byID[id]})
		delete(b.byID, id)
	}
	b.order = slices.Clone(b.order[len(ids):])
	return entries
}

// giveBack puts entries at the end, except those that a later one replaced.
func (b *box[V]) giveBack(entries []entry[V]) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, e := range entries {
		later, waits := b.byID[e.id]
		if !waits {
			b.order = append(b.order, e.id)
		}
		if !waits || b.outranks(e.value, later) {
			b.byID[e.id] = e.value
		}
	}
}

func (b *box[V]) empty() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.order) == 0
}

// waits reports whether id has an entry.
func (b *box[V]) waits(id string) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	_, ok := b.byID[id]
	return ok
}

// carrier empties a box. What can't be sent stays, and is tried again after a
// pause, in ever smaller batches: one entry that is always refused holds up the
// others for a while, not for good.
type carrier[V any] struct {
	box    *box[V]
	gather time.Duration // how long entries are collected
	most   int           // entries a batch
	send   func(ctx context.Context, batch []entry[V]) error
	// failed is told of each failed try, with the number of those in a row.
	failed func(err error, failures int)
	rand   func() float64
}

// lastTries is how often a carrier tries after finish.
const lastTries = 3

// run carries until ctx ends, or, after finish is closed, until the box is
// empty or lastTries failed. A nil finish never comes.
func (c carrier[V]) run(ctx context.Context, finish <-chan struct{}) {
	n, failures := c.most, 0
	for ctx.Err() == nil {
		if c.box.empty() {
			select {
			case <-ctx.Done():
				return
			case <-finish:
				if c.box.empty() {
					return
				}
			case <-c.box.added:
			}
			continue
		}
		if failures == 0 && n == c.most {
			sleep(ctx, c.gather, finish)
		}
		batch := c.box.take(n)
		err := c.send(ctx, batch)
		if err == nil {
			n, failures = min(2*n, c.most), 0
			continue
		}
		c.box.giveBack(batch)
		if ctx.Err() != nil {
			return
		}
		failures++
		c.failed(err, failures)
		n = max(1, len(batch)/2)
		if failures >= lastTries && closed(finish) {
			return
		}
		sleep(ctx, c.pause(failures), nil)
	}
}

// pause doubles from a second to half a minute, times 0.5 to 1.5.
func (c carrier[V]) pause(failures int) time.Duration {
	d := min(time.Second<<min(failures-1, 5), 30*time.Second)
	return time.Duration((0.5 + c.rand()) * float64(d))
}

// sleep returns after d, or before if ctx or early ends.
func sleep(ctx context.Context, d time.Duration, early <-chan struct{}) {
	if d <= 0 {
		return
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-early:
	case <-ctx.Done():
	}
}

func closed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

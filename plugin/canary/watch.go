package canary

import (
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/consul-ocsp/consul-ocsp/plugin/record"
)

// Watch is what a node knows of canaries, and does for them: it looks what
// clients are shown while a round waits for that. The zero Watch knows none. Its
// methods may be called concurrently.
type Watch struct {
	mu        sync.Mutex
	all       map[string]record.Canary // by job
	led       map[string]record.Canary // by job: those that this agent writes
	mine      map[string]*measured     // by job
	applied   map[string]time.Time     // by id: revoked, and everywhere on this node
	published map[string]time.Time     // by id: revoked, by this agent
	wake      chan struct{}
	known     chan struct{} // closed when all was set first
	is        bool
}

// waker is the channel that wakes Run; the caller holds the lock.
func (w *Watch) waker() chan struct{} {
	if w.wake == nil {
		w.wake = make(chan struct{}, 1)
	}
	return w.wake
}

// look has Run look at once; the caller holds the lock.
func (w *Watch) look() {
	for _, m := range w.mine {
		m.again = true
	}
	select {
	case w.waker() <- struct{}{}:
	default: // awake already
	}
}

// Set says how all canaries are. One that is not among them stays as it was: Consul
// shows lists that are empty, for a moment, and what is by plan has an end.
func (w *Watch) Set(all map[string]record.Canary) {
	w.mu.Lock()
	defer w.mu.Unlock()
	next := maps.Clone(w.all)
	if next == nil {
		next = map[string]record.Canary{}
	}
	maps.Copy(next, all)
	w.all = next
	if !w.is {
		w.is = true
		close(w.first())
	}
	w.look()
}

// first is the channel that the first Set closes; the caller holds the lock.
func (w *Watch) first() chan struct{} {
	if w.known == nil {
		w.known = make(chan struct{})
	}
	return w.known
}

// Known reports whether it was ever set how canaries are.
func (w *Watch) Known() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.is
}

// Await waits for that, or the end of ctx.
func (w *Watch) Await(ctx context.Context) {
	w.mu.Lock()
	known := w.first()
	w.mu.Unlock()
	select {
	case <-known:
	case <-ctx.Done():
	}
}

// Lead says how a canary is that this agent leads: it knows before it hears of it.
func (w *Watch) Lead(c record.Canary) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.led == nil {
		w.led = map[string]record.Canary{}
	}
	w.led[c.Job] = c
	w.look()
}

// Follow says that this agent leads no canary any more.
func (w *Watch) Follow() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.led, w.published = nil, nil
}

// All is how all canaries are.
func (w *Watch) All() map[string]record.Canary {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.merged()
}

// merged is what was set, and what this agent itself knows; the caller holds the
// lock.
func (w *Watch) merged() map[string]record.Canary {
	if len(w.led) == 0 {
		return w.all
	}
	all := maps.Clone(w.all)
	if all == nil {
		all = map[string]record.Canary{}
	}
	maps.Copy(all, w.led)
	return all
}

// Planned reports whether the certificate may be revoked now, since it is the
// canary of a round that goes on.
func (w *Watch) Planned(id string) bool {
	return w.any(func(c record.Canary) bool { return c.Planned(id, time.Now()) })
}

// Past reports whether the certificate was a canary that another has replaced.
func (w *Watch) Past(id string) bool {
	return w.any(func(c record.Canary) bool { return c.WasReplaced(id) })
}

func (w *Watch) any(is func(record.Canary) bool) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, c := range w.merged() {
		if is(c) {
			return true
		}
	}
	return false
}

// Applied hears that all files and servers of this node have the response for a
// certificate, which says revoked or not.
func (w *Watch) Applied(id string, revoked bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	known := !w.applied[id].IsZero()
	switch {
	case !w.canary(id):
		return
	case revoked && !known:
		if w.applied == nil {
			w.applied = map[string]time.Time{}
		}
		w.applied[id] = time.Now()
	case !revoked && known:
		delete(w.applied, id)
	}
	w.look()
}

// Publishing hears that this agent is about to publish a response for a certificate,
// which says revoked or not.
func (w *Watch) Publishing(id string, revoked bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, c := range w.led {
		switch {
		case c.Round.ID != id:
		case !revoked:
			delete(w.published, id)
		case w.published[id].IsZero():
			if w.published == nil {
				w.published = map[string]time.Time{}
			}
			w.published[id] = time.Now()
		}
	}
}

// PublishedAt is when the first response that says revoked was, zero if none was.
func (w *Watch) PublishedAt(id string) time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.published[id]
}

// canary reports whether this node has the certificate as canary; the caller
// holds the lock.
func (w *Watch) canary(id string) bool {
	for _, m := range w.mine {
		if m.id == id {
			return true
		}
	}
	return false
}

// Records are what the node says of its canaries, by job.
func (w *Watch) Records() []record.NodeCanary {
	w.mu.Lock()
	defer w.mu.Unlock()
	var list []record.NodeCanary
	for _, job := range slices.Sorted(maps.Keys(w.mine)) {
		m := w.mine[job]
		list = append(list, record.NodeCanary{Job: job, ID: m.id, Round: m.round, CanaryNode: m.node})
	}
	return list
}

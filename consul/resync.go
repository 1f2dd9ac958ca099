package consul

import (
	"context"
	"time"

	"github.com/consul-ocsp/consul-ocsp/plugin/record"
)

// resync compares all of the node's ids with what is published, and delivers
// what is newer there: what is held is trusted over KV. The first time it does
// so at once; later it is something in Consul that made it necessary, on every
// node alike, so that each waits a while of its own first.
func (f *follower) resync(ctx context.Context) error {
	if f.synced {
		// After the wait again: more may have been lost meanwhile.
		f.tellMissed()
	}
	if f.synced && !f.splayed {
		if splay := f.splay(); splay > 0 {
			f.c.logger.Debug("publications were missed: comparing all responses", "in", splay)
			f.splayed = true
			f.wait(splay)
			return nil
		}
	}
	// Head first: what is published from here on is not missed.
	h, ok := f.head()
	all := map[string]bool{}
	for _, id := range f.ids() {
		all[id] = true
	}
	if err := f.compare(ctx, all); err != nil {
		return err
	}
	f.known, f.synced, f.splayed, f.woken = all, true, false, false
	switch {
	case ok:
		f.at = h
	case f.newest == nil:
		// The first publication of all follows on this: nothing is missed then.
		f.at = record.Head{Nonce: record.NoNonce}
	}
	return nil
}

// tellMissed lets Announce know that publications were missed.
func (f *follower) tellMissed() {
	select {
	case f.c.missed <- struct{}{}:
	default: // it is known already
	}
}

func (f *follower) splay() time.Duration {
	return time.Duration(f.c.config.Rand() * float64(f.c.config.ResyncSplay))
}

// arrivals looks at the ids that the node has only now, again at those that were
// not taken, and forgets those that it has no more. It takes time with each id
// of the node, so that it is done after a wake only, not with each change.
func (f *follower) arrivals(ctx context.Context) error {
	all, fresh := map[string]bool{}, map[string]bool{}
	for _, id := range f.ids() {
		all[id] = true
		if !f.known[id] || f.refused[id] {
			fresh[id] = true
		}
	}
	if err := f.compare(ctx, fresh); err != nil {
		return err
	}
	f.known = all
	return nil
}

// compare delivers what is published of ids and supersedes what is held. Of
// those of which nothing is held there is nothing to compare; of the others only
// metas are read, unless they say more.
func (f *follower) compare(ctx context.Context, ids map[string]bool) error {
	var list, fetch []string
	for id := range ids {
		if !record.ValidID(id) {
			continue
		}
		if _, ok := f.held(id); !ok || f.refused[id] {
			fetch = append(fetch, id)
		} else {
			list = append(list, id)
		}
	}
	metas, err := f.c.readMetas(ctx, list)
	if err != nil {
		return err
	}
	for id, m := range metas {
		if old, ok := f.held(id); !ok || m.Supersedes(old) {
			fetch = append(fetch, id)
		}
	}
	return f.fetch(ctx, fetch)
}

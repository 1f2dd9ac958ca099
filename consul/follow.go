package consul

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/hashicorp/consul/api"

	"github.com/consul-ocsp/consul-ocsp/plugin/record"
)

// Follow hands deliver what is published of ids, until ctx ends; then it
// returns nil. At the start, and whenever publications were missed, it delivers
// what supersedes held; after a publication, what that changed of ids. What is
// delivered is well formed, not verified, and may be older than what is held.
//
// ids and held are called from one goroutine, deliver too; while deliver runs
// nothing is missed. wake says that ids has others now. Failures of Consul are
// waited out: what is held stays.
func (c *Client) Follow(ctx context.Context, ids func() []string, held func(id string) (record.Meta, bool),
	deliver func(ctx context.Context, list []record.Staple), wake <-chan struct{}) error {
	ctx, cancel := context.WithCancel(ctx)
	var watching sync.WaitGroup
	defer watching.Wait()
	defer cancel()
	heads := make(chan *api.KVPair)
	watching.Go(func() { // ends with ctx
		c.watch(ctx, c.keys.head(), "following", func(pair *api.KVPair) {
			select {
			case heads <- pair:
			case <-ctx.Done():
			}
		})
	})
	f := &follower{c: c, ids: ids, held: held, deliver: deliver}
	f.loop(ctx, heads, wake)
	return nil
}

// follower is one Follow. It belongs to one goroutine.
type follower struct {
	c       *Client
	ids     func() []string
	held    func(id string) (record.Meta, bool)
	deliver func(ctx context.Context, list []record.Staple)

	at      record.Head     // the publication up to which all is delivered; no nonce where that is unknown
	known   map[string]bool // the ids that were looked at
	newest  *api.KVPair     // head as last seen; nil for absent
	synced  bool            // all ids were compared once
	unread  string          // the unreadable head that was complained of
	due     *time.Timer     // when to look at newest again
	waiting bool            // due runs
	splayed bool            // the wait before a resync is over
	woken   bool            // ids may have others than known
	refused map[string]bool // the ids of which what was published was delivered and not taken
}

func (f *follower) loop(ctx context.Context, heads <-chan *api.KVPair, wake <-chan struct{}) {
	f.due = time.NewTimer(time.Hour)
	f.due.Stop()
	defer f.due.Stop()
	complaint := f.c.complaint("following")
	seen := false // head's state is known
	for {
		select {
		case <-ctx.Done():
			return
		case f.newest = <-heads:
			seen = true
			if f.waiting {
				continue // newest is looked at when the wait is over
			}
		case <-wake:
			f.woken = true
		case <-f.due.C:
			f.waiting = false
		}
		if !seen {
			continue
		}
		err := f.step(ctx)
		switch {
		case ctx.Err() != nil:
			return
		case err != nil:
			f.c.synced.followed(f.c.config.Now(), err)
			complaint.failed(err)
			f.wait(f.c.config.Pause())
		default:
			f.c.synced.followed(f.c.config.Now(), nil)
			complaint.worked()
		}
	}
}

func (f *follower) wait(d time.Duration) {
	f.waiting = true
	f.due.Reset(d)
}

// step brings the node up to the newest head.
func (f *follower) step(ctx context.Context) error {
	if !f.synced {
		return f.resync(ctx)
	}
	if f.woken {
		if err := f.arrivals(ctx); err != nil {
			return err
		}
		f.woken = false
	}
	if f.waiting {
		return nil // woken for those only
	}
	h, ok := f.head()
	if !ok || h.Nonce == f.at.Nonce {
		return nil
	}
	ids, joined, err := f.missed(ctx, h)
	if err != nil {
		return err
	}
	if joined {
		if err := f.changed(ctx, ids); err != nil {
			return err
		}
		f.at, f.splayed = h, false
		return nil
	}
	return f.resync(ctx)
}

// head is the newest head; false for one that is absent or unreadable, whose
// successor is waited for.
func (f *follower) head() (record.Head, bool) {
	if f.newest == nil {
		return record.Head{}, false
	}
	h, err := record.ParseHead(f.newest.Value)
	if err != nil {
		if text := fmt.Sprintf("%d %v", f.newest.ModifyIndex, err); text != f.unread {
			f.unread = text
			f.c.logger.Warn("waiting for the leader to publish again", "key", f.c.keys.head(), "error", err)
		}
		return record.Head{}, false
	}
	return h, true
}

// missed are the ids of all publications from the last one delivered up to h;
// false if they can't be told.
func (f *follower) missed(ctx context.Context, h record.Head) (ids []string, joined bool, err error) {
	if f.at.Nonce == "" {
		return nil, false, nil
	}
	if h.Before == f.at.Nonce {
		return h.IDs, true, nil
	}
	if h.Generation <= f.at.Generation || h.Generation-f.at.Generation > record.Slots {
		return nil, false, nil
	}
	var names []string
	for g := f.at.Generation + 1; g < h.Generation; g++ {
		names = append(names, f.c.keys.slot(g))
	}
	pairs, err := f.c.getAll(ctx, names, maxOps)
	if err != nil {
		return nil, false, err
	}
	ids, joined = chain(f.at, h, func(generation uint64) []byte {
		if pair := pairs[f.c.keys.slot(generation)]; pair != nil {
			return pair.Value
		}
		return nil
	})
	return ids, joined, nil
}

// chain joins the publications between two heads; false unless each one follows
// the one before.
func chain(from, to record.Head, slot func(generation uint64) []byte) ([]string, bool) {
	var ids []string
	last := from
	for g := from.Generation + 1; g < to.Generation; g++ {
		h, err := record.ParseHead(slot(g))
		if err != nil || h.Generation != g || h.Before != last.Nonce {
			return nil, false
		}
		ids, last = append(ids, h.IDs...), h
	}
	if to.Before != last.Nonce {
		return nil, false
	}
	return append(ids, to.IDs...), true
}

// changed delivers what was published of the node's own ids among ids, unless
// it is held to the byte. An older or false response is delivered too: whoever
// verifies it says what is wrong, and is shown when it has been put right.
func (f *follower) changed(ctx context.Context, ids []string) error {
	var own []string
	taken := map[string]bool{}
	for _, id := range ids {
		if f.known[id] && !taken[id] {
			taken[id] = true
			own = append(own, id)
		}
	}
	return f.fetch(ctx, own)
}

// fetch delivers the published responses of own. Those of the next transactions
// are read while the ones before are verified and written.
func (f *follower) fetch(ctx context.Context, own []string) error {
	ctx, cancel := context.WithCancel(ctx)
	reads := f.c.readAhead(ctx, own)
	defer func() {
		cancel()
		for range reads { // until its goroutine has ended
		}
	}()
	for open := true; open; {
		var list []record.Staple
		var err error
		list, open, err = f.gather(reads)
		if len(list) > 0 {
			f.deliver(ctx, list)
		}
		for _, st := range list {
			f.note(st)
		}
		if err != nil {
			return err
		}
	}
	return ctx.Err()
}

// gather takes what has been read of what is not held yet; it waits for the
// first only. open is false at the end.
func (f *follower) gather(reads <-chan staplesRead) (list []record.Staple, open bool, err error) {
	for r := range reads {
		if r.err != nil {
			return list, false, r.err
		}
		for _, st := range r.found {
			if !f.holds(st) || f.refused[st.ID] {
				list = append(list, st)
			}
		}
		if len(reads) == 0 && len(list) > 0 {
			return list, true, nil
		}
	}
	return list, false, nil
}

// holds reports whether st is held to the byte.
func (f *follower) holds(st record.Staple) bool {
	old, ok := f.held(st.ID)
	return ok && old.SHA256 == st.Meta.SHA256
}

// note remembers whether st, which was delivered, was taken.
func (f *follower) note(st record.Staple) {
	if f.holds(st) {
		delete(f.refused, st.ID)
		return
	}
	if f.refused == nil {
		f.refused = map[string]bool{}
	}
	f.refused[st.ID] = true
}

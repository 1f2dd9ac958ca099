package consul

import (
	"context"
	"time"

	"github.com/hashicorp/consul/api"
)

// spacing is the least time between two queries of a watch of which the first
// brought nothing new: an absent key's query returns whenever anything nearby
// is written.
const spacing = time.Second

// watch tells each state of a key, the first one at once, until ctx ends: nil
// for an absent key. Every change is told in the end, not every state between.
// Failures are waited out; after one, the state is told again.
func (c *Client) watch(ctx context.Context, key, what string, tell func(*api.KVPair)) {
	complaint := c.complaint(what)
	var index uint64
	var last *api.KVPair
	first := true
	for ctx.Err() == nil {
		pair, next, err := c.get(ctx, key, index)
		if ctx.Err() != nil {
			return
		}
		if err != nil {
			complaint.failed(err)
			index, first = 0, true
			c.pause(ctx)
			continue
		}
		complaint.worked()
		same := !first && samePair(pair, last)
		if !same {
			tell(pair)
		}
		waited := index > 0
		index, first, last = advance(index, next), false, pair
		if same && waited || index == 0 {
			sleep(ctx, c.idle())
		}
	}
}

// idle is the spacing of queries that bring nothing new.
func (c *Client) idle() time.Duration { return min(spacing, c.config.Wait/4) }

// advance is the index of the next query. One that fell, after a snapshot was
// restored or servers were replaced, is of no use: a query with an index ahead
// of the state would block although there is news.
func advance(last, next uint64) uint64 {
	if next < last {
		return 0
	}
	return next
}

func samePair(a, b *api.KVPair) bool {
	if a == nil || b == nil {
		return a == b
	}
	return a.ModifyIndex == b.ModifyIndex && a.CreateIndex == b.CreateIndex &&
		a.Session == b.Session && string(a.Value) == string(b.Value)
}

// listAgain is how often a watched list is handed over again though nothing of it
// was written: what it says ends with time, too.
const listAgain = lookAgain

// watchList hands take everything below prefix, at first, whenever something of
// it was written, and every listAgain, until the term or ctx ends. When take or
// the reading fails it is handed all of it again. It waits for the names alone,
// which Consul's index counts every write of: an answer that brings no news is
// small, however much there is.
func (t *Term) watchList(ctx context.Context, prefix, what string, take func(context.Context, api.KVPairs) error) error {
	ctx, cancel := t.bind(ctx)
	defer cancel()
	complaint := t.c.complaint(what)
	var index uint64
	var taken time.Time // when take was handed all
	for {
		next, at, err := t.waitFor(ctx, prefix, index, taken, take)
		switch {
		case ctx.Err() != nil:
			return boundEnd(ctx)
		case err != nil:
			complaint.failed(err)
			index = 0
			t.c.pause(ctx)
		default:
			complaint.worked()
			index, taken = advance(index, next), at
			// Writes come in bursts, each read is of all, and Consul wakes whoever
			// waits for an empty prefix at every write.
			sleep(ctx, t.c.idle())
		}
	}
}

// waitFor waits until something below prefix was written since index, and hands
// take all of it; with 0 at once. Where nothing was written it does so too, unless
// that was done lately: taken is when, and it returns when it is now.
func (t *Term) waitFor(ctx context.Context, prefix string, index uint64, taken time.Time,
	take func(context.Context, api.KVPairs) error) (next uint64, at time.Time, err error) {
	_, next, err = t.c.listKeysFrom(ctx, prefix, index)
	at = t.c.config.Now() // before take, which goes by the clock, too
	if err != nil || index > 0 && next == index && at.Sub(taken) < listAgain {
		return next, taken, err
	}
	pairs, _, err := t.c.list(ctx, prefix, 0)
	if err != nil {
		return 0, taken, err
	}
	return next, at, take(ctx, pairs)
}

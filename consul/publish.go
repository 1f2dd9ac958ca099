package consul

import (
	"context"
	"fmt"

	"github.com/hashicorp/consul/api"

	"github.com/consul-ocsp/consul-ocsp/plugin/record"
)

const (
	// maxPublished is how many responses one publication has: with the fence,
	// the slot and head their operations fit a transaction.
	maxPublished = 60
	// attempts is how often a publication is made anew after a conflict.
	attempts = 5
)

// publication is a response on its way to KV.
type publication struct {
	record.Staple
	// over is the checksum of a published response that was found to be false:
	// it is replaced whatever times its meta says.
	over string
}

// Publish writes what supersedes the published responses, and returns when all
// of it is committed: each of list is then in KV, or something newer is. What
// is published already costs a read. An outage is waited out until the term or
// ctx ends.
//
// The responses must be verified, and their metas must describe them.
func (t *Term) Publish(ctx context.Context, list []record.Staple) error {
	all := make([]publication, 0, len(list))
	for _, st := range list {
		all = append(all, publication{Staple: st})
	}
	return t.publishAll(ctx, all)
}

func (t *Term) publishAll(ctx context.Context, all []publication) error {
	ctx, cancel := t.bind(ctx)
	defer cancel()
	batches, err := t.c.batches(all)
	if err != nil {
		return err
	}
	for _, batch := range batches {
		if err := t.publish(ctx, batch, false); err != nil {
			return err
		}
	}
	return nil
}

// batches cuts what is to be published by number and by size. Of two responses
// for one certificate only the newer stays.
func (c *Client) batches(all []publication) ([][]publication, error) {
	place := map[string]int{}
	var unique []publication
	for _, p := range all {
		if _, err := record.NewStaple(p.ID, p.Meta, p.DER); err != nil {
			return nil, &shapeError{"publish " + err.Error()}
		}
		i, twice := place[p.ID]
		switch {
		case !twice:
			place[p.ID] = len(unique)
			unique = append(unique, p)
		case p.Meta.Supersedes(unique[i].Meta):
			unique[i] = p
		}
	}
	var batches [][]publication
	size := 0
	for _, p := range unique {
		ops, err := c.stapleOps(p)
		if err != nil {
			return nil, err
		}
		n := c.size(ops[0]) + c.size(ops[1])
		last := len(batches) - 1
		if last < 0 || len(batches[last]) == maxPublished || size+n > maxJSON {
			batches, size, last = append(batches, nil), 0, last+1
		}
		batches[last], size = append(batches[last], p), size+n
	}
	return batches, nil
}

func (c *Client) stapleOps(p publication) ([]op, error) {
	meta, err := p.Meta.Encode()
	if err != nil {
		return nil, &shapeError{"publish " + err.Error()}
	}
	return []op{set(c.keys.der(p.ID), p.DER), set(c.keys.meta(p.ID), meta)}, nil
}

// publish makes one publication of batch; an empty one too, if always.
func (t *Term) publish(ctx context.Context, batch []publication, always bool) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	for conflicts := 0; conflicts < attempts; {
		pair, due, err := t.prepare(ctx, batch)
		if outage(ctx, err) && t.c.pause(ctx) {
			continue // however long: no attempt was made
		}
		if err != nil {
			return ended(ctx, err)
		}
		if len(due) == 0 && !always {
			return nil
		}
		committed, err := t.commit(ctx, pair, due)
		if err != nil || committed {
			return ended(ctx, err)
		}
		// Somebody else wrote head: what this one is to say has to be seen
		// again, and all that the other may have done too.
		conflicts++
		t.doubts()
	}
	return fmt.Errorf("publish: %d attempts met with other writers of %s", attempts, t.c.keys.head())
}

// prepare reads head, and only then what is published: whoever publishes in
// between moves head, and the publication made of this fails.
func (t *Term) prepare(ctx context.Context, batch []publication) (*api.KVPair, []publication, error) {
	pair, _, err := t.c.get(ctx, t.c.keys.head(), 0)
	if err != nil {
		return nil, nil, err
	}
	ids := make([]string, len(batch))
	for i, p := range batch {
		ids[i] = p.ID
	}
	metas, err := t.c.readMetas(ctx, ids)
	if err != nil {
		return nil, nil, err
	}
	var due []publication
	for _, p := range batch {
		old := metas[p.ID]
		switch {
		case p.over != "" && p.over == old.SHA256, old.SHA256 != p.Meta.SHA256 && p.Meta.Supersedes(old):
			p.Meta.Published = t.c.config.Now().UTC()
			due = append(due, p)
		case old.Supersedes(p.Meta):
			t.doubts() // it says that it is newer: Guard is to find out
		}
	}
	return pair, due, nil
}

// next is the head that follows the one that was read.
func (t *Term) next(pair *api.KVPair, due []publication) record.Head {
	h := record.Head{Generation: t.last.Generation + 1, Nonce: record.NewNonce(), Before: t.last.Nonce}
	if pair != nil {
		old, err := record.ParseHead(pair.Value)
		if err == nil && old.Generation < record.MaxGeneration {
			h.Generation, h.Before = old.Generation+1, old.Nonce
		}
	}
	if h.Generation > record.MaxGeneration {
		h.Generation = 1
	}
	for _, p := range due {
		h.IDs = append(h.IDs, p.ID)
	}
	return h
}

// commit writes due and the head that names it, in one transaction that fails
// if head is not as pair says. It reports false for a conflict.
func (t *Term) commit(ctx context.Context, pair *api.KVPair, due []publication) (bool, error) {
	h := t.next(pair, due)
	text := h.Encode()
	var ops []op
	for _, p := range due {
		both, err := t.c.stapleOps(p)
		if err != nil {
			return false, err
		}
		ops = append(ops, both...)
	}
	ops = append(ops, set(t.c.keys.slot(h.Generation), text), cas(t.c.keys.head(), text, modifyIndex(pair)))
	for {
		_, errs, err := t.fenced(ctx, ops)
		switch {
		case err == nil && len(errs) == 0:
			t.last = h
			return true, nil
		case err != nil && !outage(ctx, err):
			return false, err
		}
		// Whether it was committed is open, or an earlier try of it was.
		now, err := t.readHead(ctx)
		if err != nil {
			return false, err
		}
		switch {
		case now != nil && nonce(now) == h.Nonce:
			t.last = h
			return true, nil
		case len(errs) > 0 || modifyIndex(now) != modifyIndex(pair):
			return false, nil
		}
		// Not yet: the very same transaction can be committed once only.
		if !t.c.pause(ctx) {
			return false, ctx.Err()
		}
	}
}

// readHead reads head, waiting out an outage.
func (t *Term) readHead(ctx context.Context) (*api.KVPair, error) {
	for {
		pair, _, err := t.c.get(ctx, t.c.keys.head(), 0)
		if !outage(ctx, err) || !t.c.pause(ctx) {
			return pair, err
		}
	}
}

func modifyIndex(pair *api.KVPair) uint64 {
	if pair == nil {
		return 0
	}
	return pair.ModifyIndex
}

// nonce is the nonce of the head in pair; empty if that is unreadable.
func nonce(pair *api.KVPair) string {
	if pair == nil {
		return ""
	}
	h, err := record.ParseHead(pair.Value)
	if err != nil {
		return ""
	}
	return h.Nonce
}

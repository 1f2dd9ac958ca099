package consul

import (
	"context"
	"fmt"
	"slices"

	"github.com/hashicorp/consul/api"

	"github.com/consul-ocsp/consul-ocsp/plugin/record"
)

// Staples reads the published responses of ids; those that nobody published,
// and those whose records do not fit each other, are not in the answer. What is
// in it is well formed, not verified.
func (c *Client) Staples(ctx context.Context, ids []string) (map[string]record.Staple, error) {
	found, refused, err := c.readStaples(ctx, ids)
	for id, why := range refused {
		c.logger.Warn("a published response is unreadable", "id", id, "error", why)
	}
	return found, err
}

// staplesRead is what one transaction of readAhead brought.
type staplesRead struct {
	found map[string]record.Staple
	err   error // the last one's
}

// readsAhead is how many transactions are read before their results are asked for.
const readsAhead = 8

// readAhead reads the published responses of ids, some in each result, until all
// are read, ctx ends or a transaction fails; then the channel is closed.
func (c *Client) readAhead(ctx context.Context, ids []string) <-chan staplesRead {
	reads := make(chan staplesRead, readsAhead)
	go func() { // ends with ctx at the latest
		defer close(reads)
		for part := range slices.Chunk(ids, readStaples) {
			found, err := c.Staples(ctx, part)
			select {
			case reads <- staplesRead{found, err}:
			case <-ctx.Done():
				return
			}
			if err != nil {
				return
			}
		}
	}()
	return reads
}

// readStaples reads responses with their metas; refused says what was there
// but is unreadable.
func (c *Client) readStaples(ctx context.Context, ids []string) (found map[string]record.Staple, refused map[string]error, err error) {
	var names []string
	for _, id := range ids {
		if !record.ValidID(id) {
			return nil, nil, &shapeError{fmt.Sprintf("read a response: %.80q is not an id", id)}
		}
		names = append(names, c.keys.der(id), c.keys.meta(id))
	}
	pairs, err := c.getAll(ctx, names, 2*readStaples)
	if err != nil {
		return nil, nil, err
	}
	found, refused = map[string]record.Staple{}, map[string]error{}
	for _, id := range ids {
		der, meta := pairs[c.keys.der(id)], pairs[c.keys.meta(id)]
		if der == nil && meta == nil {
			continue
		}
		st, err := joinStaple(id, der, meta)
		if err != nil {
			refused[id] = err
			continue
		}
		found[id] = st
	}
	return found, refused, nil
}

func joinStaple(id string, der, meta *api.KVPair) (record.Staple, error) {
	if der == nil {
		return record.Staple{}, fmt.Errorf("staple %s: there is a meta record and no response", id)
	}
	if meta == nil {
		return record.Staple{}, fmt.Errorf("staple %s: there is a response and no meta record", id)
	}
	m, err := record.DecodeMeta(meta.Value)
	if err != nil {
		return record.Staple{}, fmt.Errorf("staple %s: %w", id, err)
	}
	return record.NewStaple(id, m, der.Value)
}

// readMetas reads the metas of ids; an unreadable one is as good as none.
func (c *Client) readMetas(ctx context.Context, ids []string) (map[string]record.Meta, error) {
	names := make([]string, len(ids))
	for i, id := range ids {
		names[i] = c.keys.meta(id)
	}
	pairs, err := c.getAll(ctx, names, maxOps)
	if err != nil {
		return nil, err
	}
	metas := make(map[string]record.Meta, len(pairs))
	for _, id := range ids {
		pair := pairs[c.keys.meta(id)]
		if pair == nil {
			continue
		}
		m, err := record.DecodeMeta(pair.Value)
		if err != nil {
			c.logger.Warn("a published meta record is unreadable", "id", id, "error", err)
			continue
		}
		metas[id] = m
	}
	return metas, nil
}

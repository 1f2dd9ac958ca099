package consul

import (
	"context"

	"github.com/hashicorp/consul/api"
)

// get reads one key, with the default consistency: a stale read shows a
// restarted server's state from long ago. With an index it blocks until the
// key's state is beyond that, at most for the configured wait. It returns the
// index to go on from, 0 for the beginning; a nil pair for an absent key.
func (c *Client) get(ctx context.Context, key string, index uint64) (*api.KVPair, uint64, error) {
	return c.getWith(ctx, key, api.QueryOptions{WaitIndex: index})
}

// getConsistent reads one key from a leader that has made sure that it is one.
func (c *Client) getConsistent(ctx context.Context, key string) (*api.KVPair, error) {
	pair, _, err := c.getWith(ctx, key, api.QueryOptions{RequireConsistent: true})
	return pair, err
}

func (c *Client) getWith(ctx context.Context, key string, q api.QueryOptions) (*api.KVPair, uint64, error) {
	ctx, cancel := c.query(ctx, &q)
	defer cancel()
	pair, meta, err := c.api.KV().Get(key, q.WithContext(ctx))
	if err != nil {
		return nil, 0, c.denied("read", key, c.keys.readRule(), err)
	}
	c.synced.read(c.config.Now())
	return pair, next(&q, meta), nil
}

// list reads everything below prefix, blocking as get does. Without rights
// Consul says that there is nothing: then, and only then, one key is asked for
// to learn which it is.
func (c *Client) list(ctx context.Context, prefix string, index uint64) (api.KVPairs, uint64, error) {
	q := api.QueryOptions{WaitIndex: index}
	bound, cancel := c.query(ctx, &q)
	defer cancel()
	pairs, meta, err := c.api.KV().List(prefix, q.WithContext(bound))
	if err != nil {
		return nil, 0, c.denied("read", prefix, c.keys.readRule(), err)
	}
	if len(pairs) == 0 {
		if _, _, err := c.get(ctx, c.keys.head(), 0); err != nil {
			return nil, 0, err
		}
	}
	return pairs, next(&q, meta), nil
}

// listKeys reads the names of all keys below prefix.
func (c *Client) listKeys(ctx context.Context, prefix string) ([]string, error) {
	names, _, err := c.listKeysFrom(ctx, prefix, 0)
	return names, err
}

// listKeysFrom is listKeys, blocking as get does.
func (c *Client) listKeysFrom(ctx context.Context, prefix string, index uint64) ([]string, uint64, error) {
	q := api.QueryOptions{WaitIndex: index}
	ctx, cancel := c.query(ctx, &q)
	defer cancel()
	names, meta, err := c.api.KV().Keys(prefix, "", q.WithContext(ctx))
	if err != nil {
		return nil, 0, c.denied("read", prefix, c.keys.readRule(), err)
	}
	return names, next(&q, meta), nil
}

// query bounds a query by time: a server that blocks it adds up to a sixteenth
// of the wait.
func (c *Client) query(ctx context.Context, q *api.QueryOptions) (context.Context, context.CancelFunc) {
	limit := grace
	if q.WaitIndex > 0 {
		q.WaitTime = c.config.Wait
		limit += c.config.Wait + c.config.Wait/16
	}
	return context.WithTimeoutCause(ctx, limit, errTimeout)
}

// next is the index to go on from. A query that was to wait and has nothing new
// before its time leads nowhere: so Consul ends the queries of a state that it
// has given up for that of a snapshot, and with the index of the former one
// nothing of the new one would be seen until the wait is over.
func next(q *api.QueryOptions, meta *api.QueryMeta) uint64 {
	if q.WaitIndex > 0 && meta.LastIndex == q.WaitIndex && meta.RequestTime < q.WaitTime {
		return 0
	}
	return meta.LastIndex
}

// write is the context and the options of one write.
func (c *Client) write(ctx context.Context) (*api.WriteOptions, context.CancelFunc) {
	ctx, cancel := context.WithTimeoutCause(ctx, writeTimeout, errTimeout)
	return (&api.WriteOptions{}).WithContext(ctx), cancel
}

package consul

import (
	"context"
	"time"

	"github.com/hashicorp/consul/api"

	"github.com/consul-ocsp/consul-ocsp/plugin/record"
)

// reloadAttempts is how often a change of v1/reload is tried when others change
// it at the same moment.
const reloadAttempts = 8

// TakeReload asks for a turn to reload a server: ok if fewer than most nodes of
// the cluster have one and, unless it is urgent, no other node of the job has
// failed; stopped is that failure. It does not wait: ask again later, after a
// pause left to chance, which makes the order of the nodes. A turn ends by
// [Client.GiveReload], or after [record.ReloadHold]. It needs the right to
// write v1/reload and no session.
func (c *Client) TakeReload(ctx context.Context, me record.Reloader, most int, urgent bool) (ok bool, stopped *record.ReloadFailure, err error) {
	err = c.changeReload(ctx, func(r record.Reload, now time.Time) (next record.Reload, change bool) {
		next, ok, stopped = r.Take(me, most, urgent, now)
		return next, ok
	})
	return ok && err == nil, stopped, err
}

// GiveReload gives a turn back; failure says why the reload failed, empty that
// it worked.
func (c *Client) GiveReload(ctx context.Context, me record.Reloader, failure string) error {
	return c.changeReload(ctx, func(r record.Reload, now time.Time) (record.Reload, bool) {
		return r.Give(me, failure, now), true
	})
}

// changeReload reads the record and writes what change makes of it, until
// nobody else has written meanwhile. A record that can't be read counts as
// empty: it must not stop reloads for ever.
func (c *Client) changeReload(ctx context.Context, change func(record.Reload, time.Time) (record.Reload, bool)) error {
	key := c.keys.reload()
	for range reloadAttempts {
		pair, _, err := c.get(ctx, key, 0)
		if err != nil {
			return err
		}
		var old record.Reload
		if pair != nil {
			if old, err = record.DecodeReload(pair.Value); err != nil {
				c.logger.Warn("who reloads is not readable, and is written anew", "key", key, "error", err)
			}
		}
		next, ok := change(old, c.config.Now())
		if !ok {
			return nil
		}
		text, err := next.Encode()
		if err != nil {
			return err
		}
		done, err := c.casReload(ctx, key, text, modifyIndex(pair))
		if err != nil || done {
			return err
		}
		// As many as collided would collide again.
		if !sleep(ctx, time.Duration(c.config.Rand()*float64(100*time.Millisecond))) {
			return context.Cause(ctx)
		}
	}
	return &shapeError{"v1/reload: others change it all the time"}
}

func (c *Client) casReload(ctx context.Context, key string, text []byte, index uint64) (bool, error) {
	options, cancel := c.write(ctx)
	defer cancel()
	done, _, err := c.api.KV().CAS(&api.KVPair{Key: key, Value: text, ModifyIndex: index}, options)
	if err != nil {
		return false, c.denied("write", key, c.keys.writeRule(key), err)
	}
	return done, nil
}

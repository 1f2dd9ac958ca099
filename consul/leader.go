package consul

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/hashicorp/consul/api"

	"github.com/consul-ocsp/consul-ocsp/plugin/record"
)

// Campaign waits for the lock, calls lead while it is held, releases it, and
// so on until ctx ends; then it returns nil. lead's context ends when ctx does
// or when leadership is lost; lead must return then. When it returns for
// another reason the lock is released, and taken again after a pause in which
// another agent may get it. who is what v1/leader shows.
//
// The lock is released at once and in full when ctx ends: another agent leads
// within milliseconds. It is Consul's session lock: an agent that dies is
// replaced after twice the session's time plus the lock delay at most.
func (c *Client) Campaign(ctx context.Context, who record.Leader, lead func(ctx context.Context, t *Term) error) error {
	complaint := c.complaint("campaigning")
	for ctx.Err() == nil {
		err := c.waitFree(ctx)
		if err == nil {
			err = c.hold(ctx, who, lead)
		}
		var held *HeldError
		switch {
		case ctx.Err() != nil:
			return nil
		case errors.As(err, &held):
			c.otherLeads()
			complaint.worked()
			continue // wait for that one
		case errors.Is(err, ErrNotLeader):
			c.logger.Warn("no longer the leader", "error", err)
			continue
		case err != nil:
			c.attempted(err)
			complaint.failed(err)
		default:
			complaint.worked()
		}
		c.pause(ctx)
	}
	return nil
}

func (c *Client) attempted(err error) {
	if c.config.OnCampaign != nil {
		c.config.OnCampaign(err)
	}
}

func (c *Client) otherLeads() {
	c.attempted(nil)
	if c.config.OnOther != nil {
		c.config.OnOther()
	}
}

// TryLead calls lead once if nobody leads, and returns what it returns. It
// returns a [HeldError] if another agent leads, a [FormatError] if a newer one
// has led, and [ErrNotLeader] (wrapped) if leadership was lost before lead
// returned. An unclean end of the leader before is waited for: Consul gives
// nobody the lock within the lock delay.
func (c *Client) TryLead(ctx context.Context, who record.Leader, lead func(ctx context.Context, t *Term) error) error {
	if err := c.checkFormat(ctx); err != nil {
		return err
	}
	pair, _, err := c.get(ctx, c.keys.leader(), 0)
	if err != nil {
		return err
	}
	if pair != nil && pair.Session != "" {
		return heldBy(pair)
	}
	return c.hold(ctx, who, lead)
}

// waitFree waits until nobody leads and this agent may.
func (c *Client) waitFree(ctx context.Context) error {
	var index uint64
	for {
		pair, next, err := c.get(ctx, c.keys.leader(), index)
		if err != nil {
			return err
		}
		if pair == nil || pair.Session == "" {
			return c.checkFormat(ctx)
		}
		if own, err := c.clear(ctx, pair); own {
			if err != nil {
				return err
			}
			index = 0
			continue
		}
		c.otherLeads()
		if index = advance(index, next); index == 0 && !sleep(ctx, c.idle()) {
			return ctx.Err()
		}
	}
}

// heldBy says who holds the lock.
func heldBy(pair *api.KVPair) *HeldError {
	e := &HeldError{Session: pair.Session}
	if who, err := record.DecodeLeader(pair.Value); err == nil {
		e.Leader, e.Node = who, who.Node
	}
	return e
}

// hold leads for one term.
func (c *Client) hold(ctx context.Context, who record.Leader, lead func(ctx context.Context, t *Term) error) error {
	s, err := c.newSession(ctx, "consul-ocsp "+who.Node)
	if err != nil {
		return err
	}
	defer s.close()
	value, err := c.acquire(s, who)
	if err != nil {
		return err
	}
	defer c.release(ctx, s.id, value)
	t := newTerm(c, s)
	if err := t.claimFormat(s.ctx); err != nil {
		return err
	}
	return t.run(lead)
}

// acquire takes the lock for s, waiting for a lock delay to pass. It returns
// what it wrote of the leader.
func (c *Client) acquire(s *session, who record.Leader) ([]byte, error) {
	who.Since = c.config.Now()
	value, err := who.Encode()
	if err != nil {
		return nil, err
	}
	for {
		options, cancel := c.write(s.ctx)
		ok, _, err := c.api.KV().Acquire(&api.KVPair{Key: c.keys.leader(), Value: value, Session: s.id}, options)
		cancel()
		switch {
		case s.ctx.Err() != nil:
			return nil, context.Cause(s.ctx)
		case err != nil && !outage(s.ctx, err):
			return nil, c.denied("write", c.keys.leader(), c.keys.writeRule(c.keys.leader()), err)
		case ok:
			return value, nil
		}
		// To ask again is safe: a session that has the lock gets it.
		pair, _, err := c.get(s.ctx, c.keys.leader(), 0)
		if err == nil && pair != nil && pair.Session != "" && pair.Session != s.id {
			return nil, heldBy(pair)
		}
		if !sleep(s.ctx, min(time.Second, c.config.LockDelay/4)) {
			return nil, context.Cause(s.ctx)
		}
	}
}

// release gives the lock back, so that the next leader need not wait for the
// lock delay: destroying the session alone would make it.
func (c *Client) release(ctx context.Context, session string, value []byte) {
	ctx, cancel := context.WithTimeoutCause(context.WithoutCancel(ctx), farewell, errTimeout)
	defer cancel()
	pair := &api.KVPair{Key: c.keys.leader(), Value: value, Session: session}
	if _, _, err := c.api.KV().Release(pair, (&api.WriteOptions{}).WithContext(ctx)); err != nil {
		c.logger.Debug("the lock stays until its session is over", "error", err)
	}
}

// run calls lead in a context that ends when the lock is seen to be lost.
func (t *Term) run(lead func(ctx context.Context, t *Term) error) error {
	ctx, stop := context.WithCancel(t.session.ctx)
	var watching sync.WaitGroup
	watching.Go(func() { t.watchLock(ctx) }) // ends with ctx
	t.c.logger.Info("this agent leads")
	t.c.attempted(nil)
	err := lead(ctx, t)
	stop()
	watching.Wait()
	if cause := context.Cause(t.session.ctx); errors.Is(cause, ErrNotLeader) {
		return cause
	}
	return err
}

// watchLock ends the term when the lock is another's or nobody's.
func (t *Term) watchLock(ctx context.Context) {
	key := t.c.keys.leader()
	t.c.watch(ctx, key, "watching the lock", func(pair *api.KVPair) {
		if t.holds(pair) {
			return
		}
		// The first read after a change of servers may lag behind.
		pair, err := t.c.getConsistent(ctx, key)
		if err == nil && !t.holds(pair) {
			t.session.cancel(fmt.Errorf("%w: the lock on %s was taken away", ErrNotLeader, key))
		}
	})
}

// HoldsLockOf reports whether the lock that c sees is this term's: then c speaks
// to the same datacenter.
func (t *Term) HoldsLockOf(ctx context.Context, c *Client) (bool, error) {
	ctx, cancel := t.bind(ctx)
	defer cancel()
	pair, _, err := c.get(ctx, c.keys.leader(), 0)
	return err == nil && t.holds(pair), ended(ctx, err)
}

func (t *Term) holds(pair *api.KVPair) bool { return pair != nil && pair.Session == t.session.id }

package consul

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/hashicorp/consul/api"

	"github.com/consul-ocsp/consul-ocsp/plugin/record"
)

// ErrNobodyLeads says that who was asked leads no more, and nobody else came to
// lead in the time that it takes.
var ErrNobodyLeads = errors.New("nobody leads any more")

// takeover is how much longer than the lock delay nobody may lead before
// [Client.AskFetch] gives up.
const takeover = 5 * time.Second

// AskFetch asks the leader to fetch the responses of ids now, and waits for
// what comes of it until ctx ends: answers then are those that came. by is who
// asks, for people. What was asked is taken back before it returns, also when
// nobody answered. Where another agent comes to lead meanwhile, that one
// answers; where none does, the error is [ErrNobodyLeads]. It needs the right to
// write below v1/request/ and no session. told, unless nil, is shown the answers
// so far, first none, whenever they were looked at.
func (c *Client) AskFetch(ctx context.Context, ids []string, by string, told func(map[string]record.Request)) (answers map[string]record.Request, err error) {
	asked := record.Request{By: by, Nonce: record.NewNonce(), Asked: c.config.Now()}
	text, err := asked.Encode()
	if err != nil {
		return nil, err
	}
	var ops []op
	for _, id := range ids {
		if !record.ValidID(id) {
			return nil, &shapeError{"request: not an id"}
		}
		ops = append(ops, set(c.keys.request(id), text))
	}
	defer c.takeBack(ctx, ids, asked.Nonce)
	for _, part := range c.pack(ops) {
		if _, errs, err := c.txn(ctx, part); err != nil {
			return nil, ended(ctx, err)
		} else if len(errs) > 0 {
			return nil, fmt.Errorf("write %s: %s", part[0].Key, errs[0].What)
		}
	}
	waiting, stop := context.WithCancelCause(ctx)
	var watching sync.WaitGroup
	watching.Go(func() { c.whileLed(waiting, stop) }) // ends with stop
	defer watching.Wait()
	defer stop(nil)
	if told == nil {
		told = func(map[string]record.Request) {}
	}
	return c.awaitAnswers(waiting, ids, asked.Nonce, told)
}

// whileLed calls stop when nobody has led for longer than a takeover lasts.
func (c *Client) whileLed(ctx context.Context, stop context.CancelCauseFunc) {
	var free *time.Timer
	led := func() {
		if free != nil {
			free.Stop()
			free = nil
		}
	}
	c.watch(ctx, c.keys.leader(), "watching the lock", func(pair *api.KVPair) {
		switch {
		case pair != nil && pair.Session != "":
			led()
		case free == nil:
			free = time.AfterFunc(c.config.LockDelay+takeover, func() { stop(ErrNobodyLeads) })
		}
	})
	led()
}

// awaitAnswers waits until each of ids was answered.
func (c *Client) awaitAnswers(ctx context.Context, ids []string, nonce string, told func(map[string]record.Request)) (map[string]record.Request, error) {
	answers := map[string]record.Request{}
	var index uint64
	for {
		pairs, next, err := c.list(ctx, c.keys.requests(), index)
		if err != nil && (!outage(ctx, err) || !c.pause(ctx)) {
			return answers, ended(ctx, err)
		}
		for _, pair := range pairs {
			r, err := record.DecodeRequest(pair.Value)
			if err == nil && r.Nonce == nonce && !r.Answered.IsZero() {
				answers[strings.TrimPrefix(pair.Key, c.keys.requests())] = r
			}
		}
		told(answers)
		if len(answers) == len(ids) {
			return answers, nil
		}
		// Answers come one by one, and each read is of all.
		if index = advance(index, next); !sleep(ctx, c.idle()/4) {
			return answers, context.Cause(ctx)
		}
	}
}

// takeBack removes what this asking left; what somebody else asks meanwhile
// stays.
func (c *Client) takeBack(ctx context.Context, ids []string, nonce string) {
	ctx, cancel := context.WithTimeoutCause(context.WithoutCancel(ctx), farewell, errTimeout)
	defer cancel()
	names := make([]string, len(ids))
	for i, id := range ids {
		names[i] = c.keys.request(id)
	}
	pairs, err := c.getAll(ctx, names, maxOps)
	var ops []op
	for key, pair := range pairs {
		if r, err := record.DecodeRequest(pair.Value); err == nil && r.Nonce == nonce {
			ops = append(ops, &api.KVTxnOp{Verb: api.KVDeleteCAS, Key: key, Index: pair.ModifyIndex})
		}
	}
	for _, part := range c.pack(ops) {
		if _, _, sendErr := c.txn(ctx, part); sendErr != nil && err == nil {
			err = sendErr
		}
	}
	if err != nil {
		c.logger.Debug("a request stays until the leader removes it", "error", err)
	}
}

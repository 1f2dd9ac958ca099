package consul

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/hashicorp/consul/api"

	"github.com/consul-ocsp/consul-ocsp/plugin/record"
)

const (
	// requestLife is how long a request stays that nobody answers or removes.
	requestLife = time.Hour
	// maxRequests is how many requests the leader takes up at a time.
	maxRequests = 1000
)

// AskFetch asks the leader to fetch the responses of ids now, and waits for
// what comes of it until ctx ends: answers then are those that came. by is who
// asks, for people. What was asked is taken back before it returns, also when
// nobody answered. It needs the right to write below v1/request/ and no
// session.
func (c *Client) AskFetch(ctx context.Context, ids []string, by string) (answers map[string]record.Request, err error) {
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
			return nil, err
		} else if len(errs) > 0 {
			return nil, fmt.Errorf("write %s: %s", part[0].Key, errs[0].What)
		}
	}
	return c.awaitAnswers(ctx, ids, asked.Nonce)
}

// awaitAnswers waits until each of ids was answered.
func (c *Client) awaitAnswers(ctx context.Context, ids []string, nonce string) (map[string]record.Request, error) {
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
		if len(answers) == len(ids) {
			return answers, nil
		}
		if index = advance(index, next); index == 0 && !sleep(ctx, c.idle()) {
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

// Requests hands fetch the ids that operators ask for, until ctx or the term
// ends, and writes back the answers; an id without one is answered with
// outcome "unknown". What nobody took back is removed after an hour. One call
// of fetch is made at a time.
func (t *Term) Requests(ctx context.Context, fetch func(ctx context.Context, ids []string) map[string]record.Request) error {
	return t.watchList(ctx, t.c.keys.requests(), "answering requests", func(ctx context.Context, pairs api.KVPairs) error {
		return t.answer(ctx, pairs, fetch)
	})
}

// answer fetches what pairs ask for.
func (t *Term) answer(ctx context.Context, pairs api.KVPairs, fetch func(ctx context.Context, ids []string) map[string]record.Request) error {
	now := t.c.config.Now()
	asked := map[string]record.Request{}
	index := map[string]uint64{}
	var ids []string
	var ops []op
	for _, pair := range pairs {
		id := strings.TrimPrefix(pair.Key, t.c.keys.requests())
		r, err := record.DecodeRequest(pair.Value)
		switch {
		case err != nil, !record.ValidID(id), now.Sub(r.Asked) > requestLife, r.Asked.Sub(now) > ahead:
			ops = append(ops, &api.KVTxnOp{Verb: api.KVDeleteCAS, Key: pair.Key, Index: pair.ModifyIndex})
		case r.Answered.IsZero() && len(ids) < maxRequests:
			ids = append(ids, id)
			asked[id], index[id] = r, pair.ModifyIndex
		}
	}
	if len(ids) > 0 {
		answers := fetch(ctx, ids)
		for _, id := range ids {
			text, err := t.reply(asked[id], answers[id])
			if err != nil {
				return err
			}
			ops = append(ops, cas(t.c.keys.request(id), text, index[id]))
		}
	}
	return t.eachAlone(ctx, ops)
}

// reply is the request with its answer.
func (t *Term) reply(asked, answer record.Request) ([]byte, error) {
	answer.By, answer.Nonce, answer.Asked = asked.By, asked.Nonce, asked.Asked
	answer.Answered = t.c.config.Now()
	if answer.Outcome == "" {
		answer.Outcome = "unknown"
	}
	return answer.Encode()
}

// eachAlone runs ops, fenced, one a transaction: one whose key was changed
// meanwhile, by an asker who no longer waits, fails no other.
func (t *Term) eachAlone(ctx context.Context, ops []op) error {
	for _, o := range ops {
		if _, _, err := t.fenced(ctx, []op{o}); err != nil {
			return err
		}
	}
	return nil
}

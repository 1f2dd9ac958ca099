package consul

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/hashicorp/consul/api"

	"github.com/consul-ocsp/consul-ocsp/plugin/record"
)

// Term is the time in which this agent holds the lock. All that the leader
// writes goes through it, each write fenced: Consul makes it only while the
// lock is this term's. Its methods are safe for concurrent use, unless they say
// otherwise, and end when the term does, with an error that is [ErrNotLeader].
type Term struct {
	c       *Client
	session *session

	// doubt holds one token when KV was seen to hold what this term did not
	// write: Guard then compares everything.
	doubt chan struct{}

	mu   sync.Mutex  // held during one publication
	last record.Head // what this term published last; Generation 0 for nothing

	troubleMu sync.Mutex
	troubles  map[string]bool // ids with a v1/trouble; nil until it was read

	names atomic.Pointer[map[string]string] // as last published; nil for never
}

func newTerm(c *Client, s *session) *Term {
	return &Term{c: c, session: s, doubt: make(chan struct{}, 1)}
}

// bind is ctx, ending with the term too.
func (t *Term) bind(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancelCause(ctx)
	stop := context.AfterFunc(t.session.ctx, func() { cancel(context.Cause(t.session.ctx)) })
	return ctx, func() { stop(); cancel(nil) }
}

// ended is the error for a term or a caller's context that is over.
func ended(ctx context.Context, err error) error {
	if cause := context.Cause(ctx); cause != nil {
		return cause
	}
	return err
}

// boundEnd is what a loop that runs for a whole term returns when its bound
// context is over.
func boundEnd(ctx context.Context) error {
	if cause := context.Cause(ctx); errors.Is(cause, ErrNotLeader) {
		return cause
	}
	return nil
}

// fenced runs ops if the lock is still this term's; operation i of ops is i+1
// in errs.
func (t *Term) fenced(ctx context.Context, ops []op) (results []*api.KVPair, errs api.TxnErrors, err error) {
	if t.session.id == "" {
		// Consul takes an empty session for that of a key which nobody locks.
		return nil, nil, fmt.Errorf("%w: no session", ErrNotLeader)
	}
	check := &api.KVTxnOp{Verb: api.KVCheckSession, Key: t.c.keys.leader(), Session: t.session.id}
	results, errs, err = t.c.txn(ctx, append([]op{check}, ops...))
	if err == nil && failedOp(errs, 0) {
		err = fmt.Errorf("%w: the lock on %s is another's", ErrNotLeader, t.c.keys.leader())
		t.session.cancel(err)
		return nil, nil, err
	}
	return results, errs, err
}

// write runs ops, fenced, in as many transactions as they need. An outage is
// waited out if patient. The operations must be such that doing them twice is
// doing them once, and must not depend on an index.
func (t *Term) write(ctx context.Context, ops []op, patient bool) error {
	for _, part := range t.c.pack(ops) {
		for {
			_, errs, err := t.fenced(ctx, part)
			if err == nil && len(errs) > 0 {
				err = fmt.Errorf("write %s: %s", part[0].Key, errs[0].What)
			} else if err == nil {
				break
			}
			if !patient || !outage(ctx, err) || !t.c.pause(ctx) {
				return ended(ctx, err)
			}
		}
	}
	return nil
}

// pack cuts ops into transactions, leaving room for the fence.
func (c *Client) pack(ops []op) [][]op {
	var parts [][]op
	var part []op
	size := 0
	for _, o := range ops {
		n := c.size(o)
		if len(part) == maxOps-1 || len(part) > 0 && size+n > maxJSON {
			parts, part, size = append(parts, part), nil, 0
		}
		part, size = append(part, o), size+n
	}
	if len(part) > 0 {
		parts = append(parts, part)
	}
	return parts
}

// doubts makes Guard compare everything.
func (t *Term) doubts() {
	select {
	case t.doubt <- struct{}{}:
	default: // it is going to
	}
}

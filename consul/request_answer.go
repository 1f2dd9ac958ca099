package consul

import (
	"context"
	"maps"
	"strings"
	"sync"
	"time"

	"github.com/hashicorp/consul/api"

	"github.com/consul-ocsp/consul-ocsp/plugin/record"
)

const (
	// requestLife is how long a request stays that nobody answers or removes.
	requestLife = time.Hour
	// maxRequests is how many requests the leader has under way at a time.
	maxRequests = 1000
)

// FetchAsked fetches the responses of ids and calls answer for each of which it
// knows what came of it, any time before it returns.
type FetchAsked func(ctx context.Context, ids []string, answer func(id string, r record.Request))

// Requests hands fetch the ids that operators ask for, until ctx or the term
// ends, and writes back the answers, each as it comes; an id without one is
// answered with outcome "unknown". What nobody took back is removed after an
// hour. fetch may be called while an earlier call goes on, for other requests.
func (t *Term) Requests(ctx context.Context, fetch FetchAsked) error {
	q := &requests{t: t, fetch: fetch, open: map[string]bool{}}
	defer q.group.Wait()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	return t.watchList(ctx, t.c.keys.requests(), "answering requests", q.take)
}

// request is what is asked for one certificate.
type request struct {
	record.Request
	id    string
	index uint64 // of the key as it was asked
}

// key tells one asking for one certificate from all others.
func (r request) key() string { return r.Nonce + r.id }

// requests are those under way.
type requests struct {
	t     *Term
	fetch FetchAsked
	group sync.WaitGroup

	mu sync.Mutex
	// open are those that were taken up, by key: true until they are answered.
	// An answered one stays until it was seen to be answered: what is read may
	// be from before.
	open map[string]bool
	busy int
}

// take begins what is asked anew, and removes what is of no use.
func (q *requests) take(ctx context.Context, pairs api.KVPairs) error {
	now := q.t.c.config.Now()
	var asked []request
	var junk []op
	standing := map[string]bool{}
	for _, pair := range pairs {
		id := strings.TrimPrefix(pair.Key, q.t.c.keys.requests())
		r, err := record.DecodeRequest(pair.Value)
		switch {
		case err != nil, !record.ValidID(id), now.Sub(r.Asked) > requestLife, r.Asked.Sub(now) > ahead:
			junk = append(junk, &api.KVTxnOp{Verb: api.KVDeleteCAS, Key: pair.Key, Index: pair.ModifyIndex})
		case r.Answered.IsZero():
			one := request{r, id, pair.ModifyIndex}
			standing[one.key()] = true
			if q.begin(one) {
				asked = append(asked, one)
			}
		}
	}
	q.forget(standing)
	if len(asked) > 0 {
		q.group.Go(func() { q.answerAll(ctx, asked) }) // ends with ctx
	}
	for _, o := range junk {
		// One whose key was changed meanwhile fails no other.
		if _, _, err := q.t.fenced(ctx, []op{o}); err != nil {
			return err
		}
	}
	return nil
}

// begin notes that a request is under way, unless it was taken up already, or
// too many are.
func (q *requests) begin(r request) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if _, known := q.open[r.key()]; known || q.busy >= maxRequests {
		return false
	}
	q.open[r.key()] = true
	q.busy++
	return true
}

func (q *requests) done(r request) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.open[r.key()] = false
	q.busy--
}

// forget drops those that are done and of which nothing stands any more.
func (q *requests) forget(standing map[string]bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	maps.DeleteFunc(q.open, func(key string, busy bool) bool { return !busy && !standing[key] })
}

// answerAll fetches what was asked and answers all of it.
func (q *requests) answerAll(ctx context.Context, asked []request) {
	ids := make([]string, 0, len(asked))
	left := make(map[string]request, len(asked))
	for _, r := range asked {
		ids, left[r.id] = append(ids, r.id), r
	}
	q.fetch(ctx, ids, func(id string, answer record.Request) {
		if r, ok := left[id]; ok {
			delete(left, id)
			q.answer(ctx, r, answer)
		}
	})
	for _, r := range left {
		q.answer(ctx, r, record.Request{Outcome: "unknown"})
	}
}

// answer writes an answer, when Consul lets it, if the request still stands.
func (q *requests) answer(ctx context.Context, r request, answer record.Request) {
	defer q.done(r)
	answer.By, answer.Nonce, answer.Asked, answer.Answered = r.By, r.Nonce, r.Asked, q.t.c.config.Now()
	text, err := answer.Encode()
	for err == nil && ctx.Err() == nil {
		if _, _, err = q.t.fenced(ctx, []op{cas(q.t.c.keys.request(r.id), text, r.index)}); err == nil {
			return
		}
		if outage(ctx, err) && q.t.c.pause(ctx) {
			err = nil
		}
	}
	if err != nil && ctx.Err() == nil {
		q.t.c.logger.Warn("a request was not answered", "id", r.id, "error", err)
	}
}

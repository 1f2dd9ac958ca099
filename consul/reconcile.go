package consul

import (
	"context"

	"github.com/consul-ocsp/consul-ocsp/plugin/record"
)

// Mirror is what the leader itself holds: the verified responses in data_dir.
type Mirror interface {
	// Metas are the metas of all that is held, by id.
	Metas() (map[string]record.Meta, error)
	// Staple is what is held for id; it must be verified.
	Staple(id string) (record.Staple, bool, error)
	// Learn verifies what KV holds and keeps it if it supersedes what is held.
	// An error refuses it.
	Learn(ctx context.Context, st record.Staple) error
}

// Reconcile makes KV and the mirror agree: what is newer in KV is learned,
// what is older or missing there, or refused, is published. It always writes
// one generation, so that every follower notices. An outage is waited out
// until the term or ctx ends. It must not be called concurrently.
func (t *Term) Reconcile(ctx context.Context, m Mirror) error {
	ctx, cancel := t.bind(ctx)
	defer cancel()
	for {
		err := t.reconcile(ctx, m)
		if !outage(ctx, err) || !t.c.pause(ctx) {
			return ended(ctx, err)
		}
	}
}

func (t *Term) reconcile(ctx context.Context, m Mirror) error {
	published, err := t.publishedMetas(ctx)
	if err != nil {
		return err
	}
	held, err := m.Metas()
	if err != nil {
		return err
	}
	refused, err := t.learn(ctx, m, published, held)
	if err != nil {
		return err
	}
	before := t.lastNonce()
	var all []publication
	now := t.c.config.Now()
	for id, mine := range held {
		over := refused[id]
		if over == "" && !mine.Supersedes(published[id]) || !mine.Until.IsZero() && now.After(mine.Until) {
			continue
		}
		st, found, err := m.Staple(id)
		if err != nil || !found {
			t.c.logger.Warn("a held response is not published again", "id", id, "error", err)
			continue
		}
		if all = append(all, publication{Staple: st, over: over}); len(all) == maxPublished {
			if err := t.publishAll(ctx, all); err != nil {
				return err
			}
			all = nil
		}
	}
	if err := t.publishAll(ctx, all); err != nil {
		return err
	}
	if t.lastNonce() != before {
		return nil
	}
	return t.publish(ctx, nil, true)
}

func (t *Term) lastNonce() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.last.Nonce
}

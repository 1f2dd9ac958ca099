package consul

import (
	"context"
	"strings"

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

// publishedMetas are the readable metas of the responses in KV, by id.
func (t *Term) publishedMetas(ctx context.Context) (map[string]record.Meta, error) {
	pairs, _, err := t.c.list(ctx, t.c.keys.metas(), 0)
	if err != nil {
		return nil, err
	}
	names, err := t.c.listKeys(ctx, t.c.keys.ders())
	if err != nil {
		return nil, err
	}
	ders := make(map[string]bool, len(names))
	for _, name := range names {
		ders[strings.TrimPrefix(name, t.c.keys.ders())] = true
	}
	metas := make(map[string]record.Meta, len(pairs))
	for _, pair := range pairs {
		id := strings.TrimPrefix(pair.Key, t.c.keys.metas())
		// A meta without its response, or of a shape that no leader writes, is
		// as good as none.
		if m, err := record.DecodeMeta(pair.Value); err == nil && record.ValidID(id) && ders[id] {
			metas[id] = m
		}
	}
	return metas, nil
}

// learn offers the mirror what KV seems to hold that it does not. It returns
// the checksums of what the mirror refused although it holds something else.
func (t *Term) learn(ctx context.Context, m Mirror, published, held map[string]record.Meta) (map[string]string, error) {
	var ids []string
	for id, theirs := range published {
		mine, ok := held[id]
		// Other bytes with the same times are either another signature, or not
		// what they seem: the mirror is to say.
		if !ok || theirs.SHA256 != mine.SHA256 && !mine.Supersedes(theirs) {
			ids = append(ids, id)
		}
	}
	refused := map[string]string{}
	for len(ids) > 0 {
		n := min(len(ids), readStaples)
		found, unreadable, err := t.c.readStaples(ctx, ids[:n])
		if err != nil {
			return nil, err
		}
		for _, id := range ids[:n] {
			why := unreadable[id]
			if st, ok := found[id]; ok {
				why = m.Learn(ctx, st)
			}
			if why == nil {
				continue
			}
			if ctx.Err() != nil {
				return nil, ctx.Err()
			}
			t.c.logger.Warn("a published response is refused", "id", id, "error", why)
			if _, ok := held[id]; ok {
				refused[id] = published[id].SHA256
			}
		}
		ids = ids[n:]
	}
	return refused, nil
}

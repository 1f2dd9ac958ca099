package consul

import (
	"context"
	"strings"

	"github.com/consul-ocsp/consul-ocsp/plugin/record"
)

// publishedMetas are the readable metas in KV, by id.
func (t *Term) publishedMetas(ctx context.Context) (map[string]record.Meta, error) {
	pairs, _, err := t.c.list(ctx, t.c.keys.metas(), 0)
	if err != nil {
		return nil, err
	}
	metas := make(map[string]record.Meta, len(pairs))
	for _, pair := range pairs {
		id := strings.TrimPrefix(pair.Key, t.c.keys.metas())
		// One that no leader writes is as good as none.
		if m, err := record.DecodeMeta(pair.Value); err == nil && record.ValidID(id) {
			metas[id] = m
		}
	}
	return metas, nil
}

// learn offers the mirror what KV seems to hold that it does not. It returns
// the checksums, as their metas say them, of what was refused although the
// mirror holds something else.
func (t *Term) learn(ctx context.Context, m Mirror, published, held map[string]record.Meta) (map[string]string, error) {
	ids, err := t.questionable(ctx, published, held)
	if err != nil {
		return nil, err
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
			if st, ok := found[id]; ok && st.Meta.SHA256 != held[id].SHA256 {
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

// questionable are the published ids whose responses have to be looked at:
// their metas say something new, or the response is not there, or head names
// them and is not this term's.
func (t *Term) questionable(ctx context.Context, published, held map[string]record.Meta) ([]string, error) {
	names, err := t.c.listKeys(ctx, t.c.keys.ders())
	if err != nil {
		return nil, err
	}
	there := make(map[string]bool, len(names))
	for _, name := range names {
		there[strings.TrimPrefix(name, t.c.keys.ders())] = true
	}
	foreign, err := t.foreignIDs(ctx)
	if err != nil {
		return nil, err
	}
	var ids []string
	for id, theirs := range published {
		mine, ok := held[id]
		// Other bytes with the same times are either another signature, or not
		// what they seem: the mirror is to say.
		news := !ok || theirs.SHA256 != mine.SHA256 && !mine.Supersedes(theirs)
		if news || foreign[id] || !there[id] {
			ids = append(ids, id)
		}
	}
	return ids, nil
}

// foreignIDs are those that head names, unless this term wrote it.
func (t *Term) foreignIDs(ctx context.Context) (map[string]bool, error) {
	pair, _, err := t.c.get(ctx, t.c.keys.head(), 0)
	if err != nil {
		return nil, err
	}
	ids := map[string]bool{}
	if pair == nil || nonce(pair) == t.lastNonce() {
		return ids, nil
	}
	if h, err := record.ParseHead(pair.Value); err == nil {
		for _, id := range h.IDs {
			ids[id] = true
		}
	}
	return ids, nil
}

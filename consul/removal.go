package consul

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/hashicorp/consul/api"

	"github.com/consul-ocsp/consul-ocsp/plugin/record"
)

// maxRemoved is how many certificates of a bucket go in one transaction.
const maxRemoved = 24

// remove takes out of KV what nobody has wanted for ttl, or what ended that
// long ago: line, certificate, trouble, and response. What was published and
// has not ended stays until it has: somebody may deliver it. Each bucket is one
// fenced transaction that fails if the bucket, or a meta, is another by now;
// the next round takes what is left.
func (a *announced) remove(ctx context.Context, pairs api.KVPairs, now time.Time) error {
	for _, pair := range pairs {
		bucket := strings.TrimPrefix(pair.Key, a.t.c.keys.wanteds())
		w, _, err := record.ParseWanted(bucket, pair.Value)
		if err != nil {
			continue
		}
		var dead []string
		for id, hour := range w {
			if a.dead(id, hour, now) && len(dead) < maxRemoved {
				dead = append(dead, id)
			}
		}
		if len(dead) == 0 {
			continue
		}
		if err := a.removeFrom(ctx, pair, w, dead, now); err != nil {
			return err
		}
	}
	return nil
}

// dead reports whether the line of id, with this hour, says nothing any more.
func (a *announced) dead(id string, hour, now time.Time) bool {
	if hour.After(now.Add(ahead)) {
		hour = time.Time{}
	}
	one := a.known[fingerprintOf(id)]
	if last := one.hour(); last.After(hour) {
		hour = last
	}
	return !a.live(hour, now) || one.over(now.Add(-a.o.TTL))
}

func (a *announced) removeFrom(ctx context.Context, pair *api.KVPair, w record.Wanted, dead []string, now time.Time) error {
	keys := a.t.c.keys
	var names []string
	for _, id := range dead {
		names = append(names, keys.meta(id))
	}
	metas, err := a.t.c.getAll(ctx, names, maxOps)
	if err != nil {
		return err
	}
	var ops []op
	var gone []string
	for _, id := range dead {
		meta := metas[keys.meta(id)]
		if meta != nil {
			if m, err := record.DecodeMeta(meta.Value); err == nil && (m.Until.IsZero() || now.Before(m.Until)) {
				continue
			}
			ops = append(ops, &api.KVTxnOp{Verb: api.KVDeleteCAS, Key: meta.Key, Index: meta.ModifyIndex}, remove(keys.der(id)))
		}
		ops = append(ops, remove(keys.certificate(id)), remove(keys.trouble(id)))
		gone = append(gone, id)
		delete(w, id)
	}
	if len(gone) == 0 {
		return nil
	}
	ops = append(ops, cas(pair.Key, w.Encode(), pair.ModifyIndex))
	_, errs, err := a.t.fenced(ctx, ops)
	if err != nil || len(errs) > 0 {
		return err // a node or the leader wrote something of it: not now
	}
	for _, id := range gone {
		a.forget(fingerprintOf(id))
		delete(a.refused, id)
		delete(a.tried, id)
	}
	a.t.c.logger.Info("announced certificates that nobody wants any more are removed", "count", len(gone))
	return a.removeNames(ctx, gone)
}

// forget drops what is known of a certificate. One that is followed, since it was
// announced again meanwhile, is told to be gone.
func (a *announced) forget(key fingerprint) {
	if a.known[key].followed {
		a.follows, a.news = a.follows-1, true
		a.gone = append(a.gone, key.String())
	}
	delete(a.known, key)
}

// removeEnded takes out of KV the responses that ended TTL ago, and are for
// certificates that nobody announces or configures: of one that is renewed
// nothing else would ever go. It goes by what the meta says, not by what is
// missing.
func (a *announced) removeEnded(ctx context.Context, now time.Time) error {
	keys := a.t.c.keys
	pairs, _, err := a.t.c.list(ctx, keys.metas(), 0)
	if err != nil {
		return err
	}
	var gone []string
	for _, pair := range pairs {
		id := strings.TrimPrefix(pair.Key, keys.metas())
		m, err := record.DecodeMeta(pair.Value)
		if err != nil || !record.ValidID(id) || m.Until.IsZero() || now.Sub(m.Until) < a.o.TTL ||
			a.live(a.known[fingerprintOf(id)].hour(), now) || a.o.Configured(id) {
			continue
		}
		_, errs, err := a.t.fenced(ctx, []op{
			{Verb: api.KVDeleteCAS, Key: pair.Key, Index: pair.ModifyIndex}, remove(keys.der(id)), remove(keys.trouble(id)),
		})
		if err != nil {
			return err
		}
		if len(errs) == 0 {
			gone = append(gone, id)
		}
	}
	if len(gone) == 0 {
		return nil
	}
	a.t.c.logger.Info("responses that ended long ago, for certificates that nobody has any more, are removed", "count", len(gone))
	return a.removeNames(ctx, gone)
}

// removeNames takes out of KV the names that stand for ids.
func (a *announced) removeNames(ctx context.Context, ids []string) error {
	pairs, _, err := a.t.c.list(ctx, a.t.c.keys.names(), 0)
	if err != nil {
		return err
	}
	for _, pair := range pairs {
		if !slices.Contains(ids, string(pair.Value)) {
			continue
		}
		// One that was given to another certificate meanwhile stays.
		if _, _, err := a.t.fenced(ctx, []op{{Verb: api.KVDeleteCAS, Key: pair.Key, Index: pair.ModifyIndex}}); err != nil {
			return err
		}
	}
	return nil
}

// removeNodes takes out of KV the records of nodes that are gone: last seen TTL
// ago by their own word, and not written between two sweeps. A node whose clock
// is wrong still writes.
func (a *announced) removeNodes(ctx context.Context, now time.Time) error {
	pairs, _, err := a.t.c.list(ctx, a.t.c.keys.nodes(), 0)
	if err != nil {
		return err
	}
	before := a.nodes
	a.nodes = make(map[string]uint64, len(pairs))
	for _, pair := range pairs {
		a.nodes[pair.Key] = pair.ModifyIndex
		n, err := record.DecodeNode(strings.TrimPrefix(pair.Key, a.t.c.keys.nodes()), pair.Value)
		if err != nil || now.Sub(n.Seen) < a.o.TTL || before[pair.Key] != pair.ModifyIndex {
			continue
		}
		_, errs, err := a.t.fenced(ctx, []op{{Verb: api.KVDeleteCAS, Key: pair.Key, Index: pair.ModifyIndex}})
		if err != nil {
			return err
		}
		if len(errs) == 0 {
			a.t.c.logger.Info("the record of a node that is gone is removed", "node", n.Node, "seen", n.Seen)
		}
	}
	return nil
}

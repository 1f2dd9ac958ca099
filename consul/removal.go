package consul

import (
	"context"
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
	if last := a.wanted[id]; last.After(hour) {
		hour = last
	}
	return !a.live(hour, now) || a.over(id, now.Add(-a.ttl))
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
		delete(a.wanted, id)
		delete(a.ends, id)
		delete(a.missing, id)
	}
	a.t.c.logger.Info("announced certificates that nobody wants any more are removed", "count", len(gone))
	return nil
}

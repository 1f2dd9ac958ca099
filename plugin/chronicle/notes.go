package chronicle

import (
	"context"
	"maps"
	"slices"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/consul-ocsp/consul-ocsp/plugin/record"
	"github.com/consul-ocsp/consul-ocsp/plugin/staple"
	"github.com/consul-ocsp/consul-ocsp/plugin/store"
)

// keptKey is one response.
type keptKey struct {
	id, sha256 string
	thisUpdate int64 // in seconds since 1970: all that a response has
}

// keptNews is what is yet to be noted of it.
type keptNews struct {
	kept   *record.Kept // nil: it was kept before
	places []record.Stapled
}

// Run writes what is to be noted until ctx ends, and then what is left.
func (c *Chronicle) Run(ctx context.Context) error {
	for ctx.Err() == nil {
		select {
		case <-c.wake:
			sleep(ctx, gather)
			if !c.Flush(ctx) {
				sleep(ctx, retry)
				wake(c.wake)
			}
		case <-ctx.Done():
		}
	}
	c.Flush(ctx)
	return nil
}

// Flush keeps what could not be kept when it came, writes what is to be noted, and
// reports whether it could. What it could not waits for the next time.
func (c *Chronicle) Flush(ctx context.Context) bool {
	c.mu.Lock()
	keys := slices.Collect(maps.Keys(c.waiting))
	c.mu.Unlock()
	taken := make(map[keptKey]*keptNews, len(keys))
	var notes, failed []*store.Note
	for _, key := range keys {
		note := &store.Note{ID: key.id, SHA256: key.sha256, ThisUpdate: time.Unix(key.thisUpdate, 0)}
		note.Err = c.config.Store.KeepStored(note.ID, note.ThisUpdate, note.SHA256)
		// After that: it is told what was kept.
		taken[key] = c.take(key)
		note.Change = taken[key].add
		if note.Err != nil {
			failed = append(failed, note)
		} else {
			notes = append(notes, note)
		}
	}
	for some := range slices.Chunk(notes, atOnce) {
		c.addCertificates(ctx, some)
		c.config.Store.Note(some)
		for _, n := range some {
			if n.Err != nil {
				failed = append(failed, n)
			}
		}
	}
	c.again(failed, taken)
	return len(failed) == 0
}

// take is what waits of a response, and waits no longer.
func (c *Chronicle) take(key keptKey) *keptNews {
	c.mu.Lock()
	defer c.mu.Unlock()
	n := c.waiting[key]
	delete(c.waiting, key)
	return n
}

// again has noted with the next flush what could not be. Once there is nothing of
// that, and nothing waits, the history is well.
func (c *Chronicle) again(failed []*store.Note, news map[keptKey]*keptNews) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(failed) == 0 && len(c.waiting) == 0 && c.wrong != nil {
		c.wrong = nil
		c.config.Logger.Info("the history can be written again")
		c.config.Changed()
	}
	for _, n := range failed {
		c.ails("the history lacks a response, or where it was stapled", n.ID, n.Err)
		key := keptKey{n.ID, n.SHA256, n.ThisUpdate.Unix()}
		old := news[key]
		if now := c.waiting[key]; now != nil {
			if now.kept == nil {
				now.kept = old.kept
			}
			now.places = append(old.places, now.places...)
			now.places = now.places[:min(len(now.places), record.MaxStapled)]
		} else if len(c.waiting) < mostWaiting {
			c.waiting[key] = old
		}
	}
}

// ails tells of what can't be written, once: a disk that is full is so for all. The
// caller holds mu.
func (c *Chronicle) ails(what, id string, err error) {
	level := hclog.Debug
	if c.wrong == nil {
		level = hclog.Error
		c.wrong = &record.NodeTrouble{Reason: Reason, Error: what + ": " + err.Error(), Since: time.Now().UTC()}
		c.config.Changed()
	}
	c.config.Logger.Log(level, what, "id", id, "reason", Reason, "error", err)
}

// Troubles are what is wrong with the history.
func (c *Chronicle) Troubles() []record.NodeTrouble {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.wrong == nil {
		return nil
	}
	return []record.NodeTrouble{*c.wrong}
}

// addCertificates has the certificates that the responses are for kept beside
// them: who has the folder then needs nothing else.
func (c *Chronicle) addCertificates(ctx context.Context, notes []*store.Note) {
	bare := map[string]*store.Note{}
	for _, n := range notes {
		if !c.config.Store.HasKeptCertificate(n.ID) {
			bare[n.ID] = n
		}
	}
	if len(bare) == 0 {
		return
	}
	for id, cert := range c.config.Certificates(ctx, slices.Collect(maps.Keys(bare))) {
		text := staple.PairPEM(cert.Leaf, cert.Issuer)
		// What is kept stays: with a wrong issuer nothing could be verified any more.
		if _, err := staple.ParsePair(text, id); err != nil {
			c.config.Logger.Debug("a certificate is not kept in the history", "id", id, "error", err)
			continue
		}
		bare[id].Certificate = func() []byte { return text }
	}
}

// add puts what is new into notes.
func (n *keptNews) add(notes *record.Kept) bool {
	changed := false
	if n.kept != nil && notes.Kept.IsZero() {
		places := notes.Stapled
		*notes = *n.kept
		notes.Stapled = places
		changed = true
	}
	for _, s := range n.places {
		changed = notes.Note(s) || changed
	}
	if changed && notes.Kept.IsZero() {
		notes.Kept = time.Now() // a crash came before it was noted
	}
	return changed
}

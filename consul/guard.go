package consul

import (
	"context"
	"errors"
	"sync"

	"github.com/hashicorp/consul/api"
)

// Guard watches head until the term or ctx ends, and reconciles when it shows
// what this term did not write: nothing else tells that a snapshot was
// restored, or that somebody writes by hand. Call it after the first Reconcile;
// it must not run twice. It returns nil when ctx ended, an error that is
// [ErrNotLeader] when the term did, and a [FormatError] where a newer agent's
// records are there now.
func (t *Term) Guard(ctx context.Context, m Mirror) error {
	ctx, cancel := t.bind(ctx)
	var watching sync.WaitGroup
	defer watching.Wait()
	defer cancel()
	watching.Go(func() { // ends with ctx
		t.c.watch(ctx, t.c.keys.head(), "watching head", func(pair *api.KVPair) {
			if nonce(pair) != t.lastNonce() && t.foreign(ctx) {
				t.doubts()
			}
		})
	})
	complaint := t.c.complaint("reconciling")
	for {
		select {
		case <-ctx.Done():
		case <-t.doubt:
			t.c.logger.Warn("consul holds what this leader did not publish: comparing all of it")
			if err := t.mend(ctx, m); ctx.Err() != nil {
				break
			} else if errors.As(err, new(*FormatError)) {
				return err
			} else if err != nil {
				complaint.failed(err)
				t.doubts()
				t.c.pause(ctx)
				continue
			}
			complaint.worked()
			// Somebody who keeps writing must not make this a busy loop.
			sleep(ctx, t.c.idle())
			continue
		}
		return boundEnd(ctx)
	}
}

// mend makes all that this term has written be there again, unless what is there
// now is for newer agents.
func (t *Term) mend(ctx context.Context, m Mirror) error {
	if err := t.claimFormat(ctx); err != nil {
		return err
	}
	if err := t.Reconcile(ctx, m); err != nil {
		return err
	}
	t.forgetTroubles()
	if names := t.names.Load(); names != nil {
		return t.writeNames(ctx, *names)
	}
	return nil
}

// foreign reports whether head is not what this term published last. It looks
// again, after a publication that is on its way: that changes head before its
// answer is here.
func (t *Term) foreign(ctx context.Context) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	pair, _, err := t.c.get(ctx, t.c.keys.head(), 0)
	// After an error the watch tells head's state again.
	return err == nil && nonce(pair) != t.last.Nonce
}

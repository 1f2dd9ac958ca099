package consul

import (
	"context"
	"strings"

	"github.com/consul-ocsp/consul-ocsp/plugin/record"
)

// Trouble writes why the last fetch for id failed; nil says that it did not.
// It moves nothing that anybody waits for. It does not wait out an outage: call
// it again with the next result.
func (t *Term) Trouble(ctx context.Context, id string, tr *record.Trouble) error {
	if !record.ValidID(id) {
		return &shapeError{"trouble: not an id"}
	}
	ctx, cancel := t.bind(ctx)
	defer cancel()
	t.troubleMu.Lock()
	defer t.troubleMu.Unlock()
	if err := t.readTroubles(ctx); err != nil {
		return ended(ctx, err)
	}
	key := t.c.keys.trouble(id)
	if tr == nil {
		if !t.troubles[id] {
			return nil // most fetches succeed: no write for each of them
		}
		if err := t.write(ctx, []op{remove(key)}, false); err != nil {
			return err
		}
		delete(t.troubles, id)
		return nil
	}
	text, err := tr.Encode()
	if err != nil {
		return err
	}
	// Whatever comes of this write, there may be something to remove later.
	t.troubles[id] = true
	return t.write(ctx, []op{set(key, text)}, false)
}

// readTroubles learns, once a term and after KV turned out to have another
// history, what is there from before.
func (t *Term) readTroubles(ctx context.Context) error {
	if t.troubles != nil {
		return nil
	}
	names, err := t.c.listKeys(ctx, t.c.keys.troubles())
	if err != nil {
		return err
	}
	t.troubles = make(map[string]bool, len(names))
	for _, name := range names {
		t.troubles[strings.TrimPrefix(name, t.c.keys.troubles())] = true
	}
	return nil
}

func (t *Term) forgetTroubles() {
	t.troubleMu.Lock()
	defer t.troubleMu.Unlock()
	t.troubles = nil
}

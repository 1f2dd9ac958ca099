package consul

import (
	"context"
	"fmt"

	"github.com/consul-ocsp/consul-ocsp/plugin/record"
)

// Told is what the leaders so far have told of events; the zero Told if there is
// nothing that can be read.
func (t *Term) Told(ctx context.Context) (record.Told, error) {
	ctx, cancel := t.bind(ctx)
	defer cancel()
	pair, _, err := t.c.get(ctx, t.c.keys.told(), 0)
	if err != nil || pair == nil {
		return record.Told{}, ended(ctx, err)
	}
	told, err := record.DecodeTold(pair.Value)
	if err != nil {
		return record.Told{}, fmt.Errorf("%s: %w", pair.Key, err)
	}
	return told, nil
}

// KeepTold replaces that, fenced.
func (t *Term) KeepTold(ctx context.Context, told record.Told) error {
	ctx, cancel := t.bind(ctx)
	defer cancel()
	text, err := told.Encode()
	if err != nil {
		return err
	}
	return ended(ctx, t.write(ctx, []op{set(t.c.keys.told(), text)}, false))
}

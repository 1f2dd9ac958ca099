package consul

import (
	"context"
	"fmt"
	"strings"

	"github.com/consul-ocsp/consul-ocsp/plugin/record"
)

// Names publishes which certificate is behind each "job/name" now. A name that
// is not among them stays as it is; one that can't be part of a key is left
// out, and said in the log. An outage is waited out. Guard writes them again
// where it finds another history in KV.
func (t *Term) Names(ctx context.Context, names map[string]string) error {
	t.names.Store(&names)
	return t.writeNames(ctx, names)
}

func (t *Term) writeNames(ctx context.Context, names map[string]string) error {
	ctx, cancel := t.bind(ctx)
	defer cancel()
	pairs, _, err := t.c.list(ctx, t.c.keys.names(), 0)
	for outage(ctx, err) && t.c.pause(ctx) {
		pairs, _, err = t.c.list(ctx, t.c.keys.names(), 0)
	}
	if err != nil {
		return ended(ctx, err)
	}
	published := make(map[string]string, len(pairs))
	for _, pair := range pairs {
		published[pair.Key] = string(pair.Value)
	}
	var ops []op
	for full, id := range names {
		key, err := t.c.nameKey(full, id)
		if err != nil {
			t.c.logger.Warn("a name is not published", "error", err)
			continue
		}
		if published[key] != id {
			ops = append(ops, set(key, []byte(id)))
		}
	}
	return t.write(ctx, ops, true)
}

func (c *Client) nameKey(full, id string) (string, error) {
	job, name, ok := strings.Cut(full, "/")
	if !ok || !record.ValidName(job) || !record.ValidName(name) {
		return "", fmt.Errorf("name %.200q: only A-Z a-z 0-9 . _ - can be part of a key", full)
	}
	if !record.ValidID(id) {
		return "", fmt.Errorf("name %.200q: %.80q is not an id", full, id)
	}
	return c.keys.name(job, name), nil
}

package consul

import (
	"context"
	"fmt"
	"strings"

	"github.com/consul-ocsp/consul-ocsp/plugin/record"
)

// Canary is what the leaders so far have noted of a job's canary; one with the
// job alone if there is nothing.
func (t *Term) Canary(ctx context.Context, job string) (record.Canary, error) {
	ctx, cancel := t.bind(ctx)
	defer cancel()
	// A server that shows nothing for a moment would have it revoked again.
	pair, err := t.c.getConsistent(ctx, t.c.keys.canary(job))
	if err != nil || pair == nil {
		return record.Canary{Job: job}, ended(ctx, err)
	}
	c, err := record.DecodeCanary(job, pair.Value)
	if err != nil {
		return record.Canary{}, fmt.Errorf("%s: %w", pair.Key, err)
	}
	return c, nil
}

// KeepCanary replaces that, fenced.
func (t *Term) KeepCanary(ctx context.Context, c record.Canary) error {
	if !record.ValidName(c.Job) {
		return &shapeError{fmt.Sprintf("canary: the job's name %.200q can't be part of a key", c.Job)}
	}
	ctx, cancel := t.bind(ctx)
	defer cancel()
	text, err := c.Encode()
	if err != nil {
		return err
	}
	return ended(ctx, t.write(ctx, []op{set(t.c.keys.canary(c.Job), text)}, false))
}

// Nodes are the records of these nodes, of all for a nil list. One that is
// absent or can't be read is left out.
func (t *Term) Nodes(ctx context.Context, names []string) (map[string]record.Node, error) {
	ctx, cancel := t.bind(ctx)
	defer cancel()
	nodes := map[string]record.Node{}
	if names == nil {
		keys, err := t.c.listKeys(ctx, t.c.keys.nodes())
		if err != nil {
			return nil, ended(ctx, err)
		}
		for _, key := range keys {
			names = append(names, strings.TrimPrefix(key, t.c.keys.nodes()))
		}
	}
	for _, name := range names { // one by one: a record may be large
		if !record.ValidName(name) {
			continue // no agent's
		}
		pair, _, err := t.c.get(ctx, t.c.keys.node(name), 0)
		if err != nil {
			return nil, ended(ctx, err)
		}
		if pair == nil {
			continue
		}
		if n, err := record.DecodeNode(name, pair.Value); err == nil {
			nodes[name] = n
		}
	}
	return nodes, nil
}

// Meta is what is published of a certificate's response.
func (t *Term) Meta(ctx context.Context, id string) (m record.Meta, found bool, err error) {
	ctx, cancel := t.bind(ctx)
	defer cancel()
	pair, _, err := t.c.get(ctx, t.c.keys.meta(id), 0)
	if err != nil || pair == nil {
		return record.Meta{}, false, ended(ctx, err)
	}
	m, err = record.DecodeMeta(pair.Value)
	return m, err == nil, err
}

// Canaries tells of all canaries, at once and whenever one is changed, until ctx
// ends. What can't be read is left out. Failures are waited out.
func (c *Client) Canaries(ctx context.Context, tell func(map[string]record.Canary)) {
	complaint := c.complaint("watching canaries")
	prefix := c.keys.canaries()
	var index uint64
	for ctx.Err() == nil {
		_, next, err := c.listKeysFrom(ctx, prefix, index)
		if err == nil && (index == 0 || next != index) {
			err = c.tellCanaries(ctx, prefix, tell)
		}
		switch {
		case ctx.Err() != nil:
		case err != nil:
			complaint.failed(err)
			index = 0
			c.pause(ctx)
		default:
			complaint.worked()
			index = advance(index, next)
			sleep(ctx, c.idle())
		}
	}
}

func (c *Client) tellCanaries(ctx context.Context, prefix string, tell func(map[string]record.Canary)) error {
	pairs, _, err := c.list(ctx, prefix, 0)
	if err != nil {
		return err
	}
	all := map[string]record.Canary{}
	for _, pair := range pairs {
		job := strings.TrimPrefix(pair.Key, prefix)
		if one, err := record.DecodeCanary(job, pair.Value); err == nil {
			all[job] = one
		}
	}
	tell(all)
	return nil
}

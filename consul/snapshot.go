package consul

import (
	"context"
	"errors"
	"strings"

	"github.com/consul-ocsp/consul-ocsp/plugin/record"
)

// Snapshot reads all that the cluster says of its staples and nodes, in four
// queries. It is not one moment: what is published meanwhile may be in a part
// of it. Unreadable records are named, not an error.
func (c *Client) Snapshot(ctx context.Context) (*record.Snapshot, error) {
	s := &record.Snapshot{
		Metas: map[string]record.Meta{}, Troubles: map[string]record.Trouble{}, Nodes: map[string]record.Node{},
		Unreadable: map[string]string{},
	}
	if err := c.snapshotState(ctx, s); err != nil {
		return nil, err
	}
	err := errors.Join(
		snapshotList(ctx, c, s, c.keys.metas(), s.Metas, func(id string, b []byte) (record.Meta, error) {
			return byID(id, b, record.DecodeMeta)
		}),
		snapshotList(ctx, c, s, c.keys.troubles(), s.Troubles, func(id string, b []byte) (record.Trouble, error) {
			return byID(id, b, record.DecodeTrouble)
		}),
		snapshotList(ctx, c, s, c.keys.nodes(), s.Nodes, record.DecodeNode),
	)
	if err != nil {
		return nil, err
	}
	return s, nil
}

// snapshotState reads the single keys.
func (c *Client) snapshotState(ctx context.Context, s *record.Snapshot) error {
	pairs, err := c.getAll(ctx, []string{c.keys.format(), c.keys.head(), c.keys.leader()}, maxOps)
	if err != nil {
		return err
	}
	s.Format = readFormat(pairs[c.keys.format()])
	if pair := pairs[c.keys.head()]; pair != nil {
		h, err := record.ParseHead(pair.Value)
		if err != nil {
			s.Unreadable[pair.Key] = err.Error()
		}
		s.Generation = h.Generation
	}
	if pair := pairs[c.keys.leader()]; pair != nil && pair.Session != "" {
		who, err := record.DecodeLeader(pair.Value)
		if err != nil {
			s.Unreadable[pair.Key] = err.Error()
		}
		s.Leader = &who
	}
	return nil
}

// snapshotList reads the records below prefix into what; decode is given the
// rest of the key.
func snapshotList[T any](ctx context.Context, c *Client, s *record.Snapshot, prefix string, what map[string]T, decode func(string, []byte) (T, error)) error {
	pairs, _, err := c.list(ctx, prefix, 0)
	if err != nil {
		return err
	}
	for _, pair := range pairs {
		name := strings.TrimPrefix(pair.Key, prefix)
		v, err := decode(name, pair.Value)
		if err != nil {
			s.Unreadable[pair.Key] = err.Error()
			continue
		}
		what[name] = v
	}
	return nil
}

func byID[T any](id string, b []byte, decode func([]byte) (T, error)) (T, error) {
	if !record.ValidID(id) {
		var none T
		return none, errors.New("its name is not an id")
	}
	return decode(b)
}

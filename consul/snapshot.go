package consul

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/consul-ocsp/consul-ocsp/plugin/record"
)

// Snapshot reads all that the cluster says of its staples and nodes, in five
// queries. It is not one moment: what is published meanwhile may be in a part
// of it. Unreadable records are named, not an error.
func (c *Client) Snapshot(ctx context.Context) (*record.Snapshot, error) {
	s := &record.Snapshot{
		Metas: map[string]record.Meta{}, Troubles: map[string]record.Trouble{}, Nodes: map[string]record.Node{},
		Canaries: map[string]record.Canary{}, Unreadable: map[string]string{},
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
		snapshotList(ctx, c, s, c.keys.canaries(), s.Canaries, record.DecodeCanary),
	)
	if err != nil {
		return nil, err
	}
	return s, nil
}

// maxWaiting is how many certificates without a response are read for a
// snapshot: who has more has a cluster that fetches nothing, and knows by then.
const maxWaiting = 1000

// Waiting adds to a snapshot the certificates that were announced within ttl (0:
// the default) and of which it has neither meta nor trouble. It reads all
// buckets, and the certificates of the first 1000.
func (c *Client) Waiting(ctx context.Context, s *record.Snapshot, ttl time.Duration) error {
	pairs, _, err := c.list(ctx, c.keys.wanteds(), 0)
	if err != nil {
		return err
	}
	oldest := c.config.Now().Add(-AnnounceOptions{TTL: ttl}.ttl() - time.Hour)
	var ids, names []string
	for _, pair := range pairs {
		// A broken line is the leader's to tell of.
		wanted, _, _ := record.ParseWanted(strings.TrimPrefix(pair.Key, c.keys.wanteds()), pair.Value)
		for id, hour := range wanted {
			_, held := s.Metas[id]
			_, failing := s.Troubles[id]
			if !held && !failing && hour.After(oldest) && len(ids) < maxWaiting {
				ids, names = append(ids, id), append(names, c.keys.certificate(id))
			}
		}
	}
	certificates, err := c.getAll(ctx, names, readStaples)
	if err != nil {
		return err
	}
	s.Waiting = map[string]record.Certificate{}
	for i, id := range ids {
		if pair := certificates[names[i]]; pair != nil {
			if cert, err := record.DecodeCertificate(id, pair.Value); err == nil {
				s.Waiting[id] = cert
			}
		}
	}
	return nil
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

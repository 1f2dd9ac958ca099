package consul

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/consul-ocsp/consul-ocsp/plugin/record"
)

// announcement is what is to be written of a node's certificates.
type announcement struct {
	c      *Client
	stale  map[string][]string // by bucket: the ids whose line is absent or old
	wanted map[string]record.Wanted
	index  map[string]uint64 // of buckets and certificates, as read
	exists map[string]bool   // ids whose v1/certificate is there
}

// readBuckets reads the buckets that ids are in and finds the lines to write.
func (c *Client) readBuckets(ctx context.Context, ids map[string][]string, o AnnounceOptions) (*announcement, error) {
	a := &announcement{
		c: c, stale: map[string][]string{}, wanted: map[string]record.Wanted{}, index: map[string]uint64{}, exists: map[string]bool{},
	}
	var names []string
	for bucket := range ids {
		names = append(names, c.keys.wanted(bucket))
	}
	pairs, err := c.getAll(ctx, names, maxOps)
	if err != nil {
		return nil, err
	}
	now := c.config.Now()
	for bucket, own := range ids {
		w := record.Wanted{}
		if pair := pairs[c.keys.wanted(bucket)]; pair != nil {
			a.index[bucket] = pair.ModifyIndex
			read, bad, err := record.ParseWanted(bucket, pair.Value)
			if err != nil || bad > 0 {
				c.logger.Warn("an announcement is broken; what is readable of it stays", "key", pair.Key, "lines", bad, "error", err)
			}
			if read != nil {
				w = read
			}
		}
		for _, id := range own {
			hour, ok := w[id]
			// An hour to come is a lie, or a clock's: it must not keep this
			// node from saying when it did want it.
			if !ok || now.Sub(hour) > o.ttl()/4 || hour.After(now) {
				a.stale[bucket] = append(a.stale[bucket], id)
				w[id] = record.Hour(now)
			}
		}
		a.wanted[bucket] = w
	}
	return a, nil
}

// readCertificates learns which certificates the cluster has already: most
// often another node announced it. One that is not what its key says counts as
// absent, or whoever wrote it could keep a certificate from the cluster.
func (a *announcement) readCertificates(ctx context.Context) error {
	var names []string
	for _, ids := range a.stale {
		for _, id := range ids {
			names = append(names, a.c.keys.certificate(id))
		}
	}
	pairs, err := a.c.getAll(ctx, names, readStaples)
	if err != nil {
		return err
	}
	for _, ids := range a.stale {
		for _, id := range ids {
			pair := pairs[a.c.keys.certificate(id)]
			a.index[id] = modifyIndex(pair)
			if pair != nil {
				_, err := record.DecodeCertificate(id, pair.Value)
				a.exists[id] = err == nil
			}
		}
	}
	return nil
}

// write writes the stale buckets, as many in a transaction as fit, each after
// the certificates that the cluster lacks. Where another node was faster it
// stops, and returns what is left: no line is written whose certificate is not.
func (a *announcement) write(ctx context.Context, certs map[string]record.Certificate) (left map[string][]string, err error) {
	ops, err := a.ops(certs)
	if err != nil {
		return nil, err
	}
	left = map[string][]string{}
	for _, part := range a.c.pack(ops) {
		if len(left) == 0 {
			_, errs, err := a.c.txn(ctx, part)
			if err != nil {
				return nil, err
			}
			if len(errs) == 0 {
				continue
			}
		}
		for _, o := range part {
			bucket := record.Bucket(o.Key[strings.LastIndexByte(o.Key, '/')+1:])
			left[bucket] = a.stale[bucket]
		}
	}
	return left, nil
}

// ops are the writes, in an order in which a certificate comes before its line.
func (a *announcement) ops(certs map[string]record.Certificate) ([]op, error) {
	var ops []op
	for _, bucket := range slices.Sorted(maps.Keys(a.stale)) {
		for _, id := range a.stale[bucket] {
			if a.exists[id] {
				continue
			}
			cert := certs[id]
			if cert.ID() != id {
				return nil, &shapeError{fmt.Sprintf("announce %s: its leaf has the id %s", id, cert.ID())}
			}
			text, err := cert.Encode()
			if err != nil {
				return nil, &shapeError{fmt.Sprintf("announce %s: %v", id, err)}
			}
			ops = append(ops, cas(a.c.keys.certificate(id), text, a.index[id]))
		}
		ops = append(ops, cas(a.c.keys.wanted(bucket), a.wanted[bucket].Encode(), a.index[bucket]))
	}
	return ops, nil
}

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
	c       *Client
	stale   map[string][]string // by bucket: the ids whose line is absent or old
	wanted  map[string]record.Wanted
	index   map[string]uint64 // of buckets and certificates, as read
	exists  map[string]bool   // ids whose v1/certificate is there
	known   map[string]bool   // ids whose line is there, if old
	suspect map[string]bool   // ids whose certificate is there although no line says so
	made    map[string][]op   // by bucket
}

// readBuckets reads the buckets that ids are in and finds the lines to write.
func (c *Client) readBuckets(ctx context.Context, ids map[string][]string, o AnnounceOptions, suspect map[string]bool) (*announcement, error) {
	a := &announcement{
		c: c, stale: map[string][]string{}, wanted: map[string]record.Wanted{}, index: map[string]uint64{}, exists: map[string]bool{},
		known: map[string]bool{}, suspect: suspect, made: map[string][]op{},
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
				a.known[id] = ok
				w[id] = record.Hour(now)
			}
		}
		a.wanted[bucket] = w
	}
	return a, nil
}

// write writes the stale buckets, as many in a transaction as fit, each with
// the certificates that the cluster lacks: no line is written whose certificate
// is not. It returns what is left to do where another node was faster.
//
// Each node takes the buckets in an order of its own, so that of many that
// start together each writes another part. It stops at the first conflict,
// since whoever was faster has most likely written more by now.
func (a *announcement) write(ctx context.Context, certs map[string]record.Certificate) (left map[string][]string, err error) {
	left = maps.Clone(a.stale)
	buckets := slices.Collect(maps.Keys(a.stale)) // in the order of a map: any
	for len(buckets) > 0 {
		n := 0
		var part []op
		size := 0
		for _, bucket := range buckets {
			ops, err := a.ops(ctx, bucket, certs)
			if err != nil {
				return nil, err
			}
			more := 0
			for _, o := range ops {
				more += a.c.size(o)
			}
			if n > 0 && (len(part)+len(ops) >= maxOps || size+more > maxJSON) {
				break
			}
			part, size, n = append(part, ops...), size+more, n+1
		}
		done, err := a.commit(ctx, part)
		if err != nil || !done {
			return left, err
		}
		for _, bucket := range buckets[:n] {
			delete(left, bucket)
			delete(a.made, bucket) // thousands of certificates would be kept until the end
		}
		buckets = buckets[n:]
	}
	return nil, nil
}

// commit writes the operations of some buckets: in one transaction, or where a
// single bucket has more than fit one, its line last. It reports false where
// another node changed something.
func (a *announcement) commit(ctx context.Context, ops []op) (bool, error) {
	for _, part := range a.c.pack(ops) {
		_, errs, err := a.c.txn(ctx, part)
		if err != nil {
			return false, err
		}
		for _, e := range errs {
			if e == nil || e.OpIndex < 0 || e.OpIndex >= len(part) {
				continue
			}
			if id, ok := strings.CutPrefix(part[e.OpIndex].Key, a.c.keys.certificates()); ok {
				a.suspect[id] = true
			}
		}
		if len(errs) > 0 {
			return false, nil
		}
	}
	return true, nil
}

// ops are the writes of one bucket, in an order in which a certificate comes
// before its line.
//
// Where the line is absent, so in general is the certificate: that it is gets
// part of the transaction, not a question before it. What is there is only read
// where the line is old, and after a conflict.
func (a *announcement) ops(ctx context.Context, bucket string, certs map[string]record.Certificate) ([]op, error) {
	if ops, ok := a.made[bucket]; ok {
		return ops, nil
	}
	if err := a.readCertificates(ctx, bucket); err != nil {
		return nil, err
	}
	var ops []op
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
	a.made[bucket] = ops
	return ops, nil
}

// readCertificates learns which certificates of a bucket the cluster has
// already, where it may: another node announced it before. One that is not what
// its key says counts as absent, or whoever wrote it could keep a certificate
// from the cluster.
func (a *announcement) readCertificates(ctx context.Context, bucket string) error {
	var names []string
	for _, id := range a.stale[bucket] {
		if a.known[id] || a.suspect[id] {
			names = append(names, a.c.keys.certificate(id))
		}
	}
	pairs, err := a.c.getAll(ctx, names, readStaples)
	if err != nil {
		return err
	}
	for _, id := range a.stale[bucket] {
		pair := pairs[a.c.keys.certificate(id)]
		a.index[id] = modifyIndex(pair)
		if pair != nil {
			_, err := record.DecodeCertificate(id, pair.Value)
			a.exists[id] = err == nil
		}
	}
	return nil
}

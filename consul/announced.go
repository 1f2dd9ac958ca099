package consul

import (
	"context"
	"crypto/x509"
	"fmt"
	"maps"
	"strings"
	"time"

	"github.com/hashicorp/consul/api"

	"github.com/consul-ocsp/consul-ocsp/plugin/record"
)

const (
	// removeEvery is how often what nobody wants is looked for.
	removeEvery = time.Hour
	// ahead is how far a node's clock may be before ours: a line for a later
	// hour is no announcement.
	ahead = 24 * time.Hour
)

// announced is what the leader knows of the nodes' certificates. It belongs to
// one goroutine.
type announced struct {
	t       *Term
	ttl     time.Duration
	max     int
	changed func(map[string]record.Certificate)

	wanted  map[string]time.Time          // by id: the last hour seen
	certs   map[string]record.Certificate // of those, what is told
	ends    map[string]time.Time          // notAfter of those that were read
	missing map[string]bool               // no certificate fits; said once
	issuers map[string][]byte             // by themselves: one copy for all that share it
	full    bool                          // max was reached; said once
	told    bool
	swept   time.Time
}

const defaultMax = 50000

// Announced tells changed which certificates nodes announce, until the term or
// ctx ends: all of them, at first and whenever it changes, by id. That a
// certificate has its id is checked, nothing else of it. At most max are held;
// each is left out ttl after the last announcement, or at its own end, and
// removed from KV later, with what was published of it once that has ended. A line or a list that is
// missing ends nothing.
func (t *Term) Announced(ctx context.Context, ttl time.Duration, max int, changed func(map[string]record.Certificate)) error {
	ctx, cancel := t.bind(ctx)
	defer cancel()
	if max <= 0 {
		max = defaultMax
	}
	a := &announced{
		t: t, ttl: AnnounceOptions{TTL: ttl}.ttl(), max: max, changed: changed,
		wanted: map[string]time.Time{}, certs: map[string]record.Certificate{}, ends: map[string]time.Time{},
		missing: map[string]bool{}, swept: t.c.config.Now(),
	}
	complaint := t.c.complaint("reading announcements")
	var index uint64
	for {
		pairs, next, err := t.c.list(ctx, t.c.keys.wanteds(), index)
		if err == nil {
			err = a.update(ctx, pairs)
		}
		switch {
		case ctx.Err() != nil:
			return boundEnd(ctx)
		case err != nil:
			complaint.failed(err)
			index = 0
			t.c.pause(ctx)
		default:
			complaint.worked()
			index = advance(index, next)
			// Nodes announce in bursts, and each read is of all buckets.
			sleep(ctx, t.c.idle())
		}
	}
}

// update takes in what the buckets say.
func (a *announced) update(ctx context.Context, pairs api.KVPairs) error {
	now := a.t.c.config.Now()
	for _, pair := range pairs {
		bucket := strings.TrimPrefix(pair.Key, a.t.c.keys.wanteds())
		w, bad, err := record.ParseWanted(bucket, pair.Value)
		if err != nil || bad > 0 {
			a.t.c.logger.Debug("an announcement is broken", "key", pair.Key, "lines", bad, "error", err)
		}
		for id, hour := range w {
			a.want(id, hour, now)
		}
	}
	changed, err := a.fetch(ctx, now)
	if err != nil {
		return err
	}
	if a.expire(now) || changed || !a.told {
		a.told = true
		a.changed(maps.Clone(a.certs))
	}
	if now.Sub(a.swept) < removeEvery {
		return nil
	}
	a.swept = now
	return a.remove(ctx, pairs, now)
}

// want takes in one line.
func (a *announced) want(id string, hour, now time.Time) {
	last, known := a.wanted[id]
	if !hour.After(last) || hour.After(now.Add(ahead)) {
		return
	}
	// Lines without certificates must not fill the memory.
	if !known && len(a.wanted) >= 2*a.max {
		a.tooMany()
		return
	}
	a.wanted[id] = hour
}

func (a *announced) tooMany() {
	if !a.full {
		a.full = true
		a.t.c.logger.Warn("no more announced certificates are taken", "max", a.max)
	}
}

// live reports whether an announcement of this hour still counts: until ttl
// after the hour's end.
func (a *announced) live(hour, now time.Time) bool { return now.Sub(hour) < a.ttl+time.Hour }

// fetch reads the certificates that are new.
func (a *announced) fetch(ctx context.Context, now time.Time) (changed bool, err error) {
	var ids []string
	for id, hour := range a.wanted {
		if _, ok := a.certs[id]; ok || !a.live(hour, now) || a.over(id, now) {
			continue
		}
		if len(a.certs)+len(ids) >= a.max {
			a.tooMany()
			break
		}
		ids = append(ids, id)
	}
	names := make([]string, len(ids))
	for i, id := range ids {
		names[i] = a.t.c.keys.certificate(id)
	}
	pairs, err := a.t.c.getAll(ctx, names, readStaples)
	if err != nil {
		return false, err
	}
	for _, id := range ids {
		if a.take(id, pairs[a.t.c.keys.certificate(id)], now) {
			changed = true
		}
	}
	return changed, nil
}

func (a *announced) take(id string, pair *api.KVPair, now time.Time) bool {
	why := "there is no certificate"
	if pair != nil {
		cert, leaf, err := announcedLeaf(id, pair.Value)
		if err == nil {
			delete(a.missing, id)
			a.ends[id] = leaf.NotAfter
			if a.over(id, now) {
				return false
			}
			cert.Issuer = a.shared(cert.Issuer)
			a.certs[id] = cert
			return true
		}
		why = err.Error()
	}
	if !a.missing[id] {
		a.missing[id] = true
		a.t.c.logger.Warn("an announcement is not followed", "id", id, "error", why)
	}
	return false
}

// maxShared bounds how many issuers are remembered, whatever nodes announce.
const maxShared = 256

// shared is the copy of an issuer that others have already.
func (a *announced) shared(issuer []byte) []byte {
	if known, ok := a.issuers[string(issuer)]; ok {
		return known
	}
	if a.issuers == nil || len(a.issuers) >= maxShared {
		a.issuers = map[string][]byte{}
	}
	a.issuers[string(issuer)] = issuer
	return issuer
}

func announcedLeaf(id string, b []byte) (record.Certificate, *x509.Certificate, error) {
	cert, err := record.DecodeCertificate(id, b)
	if err != nil {
		return record.Certificate{}, nil, err
	}
	leaf, err := x509.ParseCertificate(cert.Leaf)
	if err != nil {
		return record.Certificate{}, nil, fmt.Errorf("certificate record %s: the leaf is no certificate", id)
	}
	return cert, leaf, nil
}

// over reports whether the certificate is known to have ended.
func (a *announced) over(id string, now time.Time) bool {
	end, ok := a.ends[id]
	return ok && now.After(end)
}

// expire leaves out what no node wanted for ttl, and what has ended itself.
func (a *announced) expire(now time.Time) (changed bool) {
	for id := range a.certs {
		if !a.live(a.wanted[id], now) || a.over(id, now) {
			delete(a.certs, id)
			changed = true
		}
	}
	return changed
}

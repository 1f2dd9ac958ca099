package consul

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"maps"
	"slices"
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

// AnnouncedOptions say which announcements count, and for how long.
type AnnouncedOptions struct {
	// TTL is certificate_ttl; default 48 h. Max is how many certificates are
	// held; default 50,000.
	TTL time.Duration
	Max int
	// Configured, if set, reports whether the leader has the certificate of id
	// itself: nothing of that is removed.
	Configured func(id string) bool
}

// A Listener is told what nodes announce, by one goroutine.
type Listener interface {
	// Take is handed a certificate that is followed from now on. That it has its
	// id is checked, nothing else of it; nothing of it is kept behind.
	Take(id string, c record.Certificate)
	// Changed ends what is told at a time: at first, when all that is announced
	// was handed over, and after each change.
	Changed(Announcements)
}

// Announcements is what else there is to know of what nodes announce.
type Announcements struct {
	// Gone are the ids that are followed no longer, since the last time.
	Gone []string
	// Refused says, by id, why an announcement is not followed; at most
	// maxRefused of them. Nobody changes the map.
	Refused map[string]string
	// Ignored counts the announcements over the maximum.
	Ignored int
}

const (
	// maxRefused bounds the memory of what is refused.
	maxRefused = 10_000
	// lookAgain is how long the certificate of an announcement that had none is
	// not asked for again, unless its bucket was written since.
	lookAgain = 5 * time.Minute
)

// announced is what the leader knows of the nodes' certificates. It belongs to
// one goroutine.
type announced struct {
	t        *Term
	o        AnnouncedOptions
	listener Listener

	known   map[fingerprint]wantedOne
	follows int                  // how many of those
	refused map[string]string    // why no certificate fits
	tried   map[string]time.Time // when that was seen
	buckets map[string]uint64    // ModifyIndex, as last read
	nodes   map[string]uint64    // the same of nodes' records, at the last sweep
	ignored int                  // lines over the maximum, in this round
	told    Announcements
	gone    []string
	news    bool              // something was not told yet
	full    bool              // that the maximum was reached; said once
	issuers map[string][]byte // by themselves: one copy for all that share it
	swept   time.Time
}

const defaultMax = 50000

// Announced tells a listener what nodes announce, until the term or ctx ends: all
// of it at first, then what changes. A certificate is followed until TTL after its
// last announcement, or its own end.
//
// Once an hour it removes from KV, fenced, what is known to be over: the lines
// and certificates of those, with what was published of them once that has
// ended; what was published, ended TTL ago, and is neither announced nor
// configured; and the records of nodes that nobody wrote for TTL. A line, a
// record or a list that is missing ends nothing.
func (t *Term) Announced(ctx context.Context, o AnnouncedOptions, listener Listener) error {
	o.TTL = AnnounceOptions{TTL: o.TTL}.ttl()
	if o.Max <= 0 {
		o.Max = defaultMax
	}
	if o.Configured == nil {
		o.Configured = func(string) bool { return false }
	}
	a := &announced{
		t: t, o: o, listener: listener, known: map[fingerprint]wantedOne{},
		refused: map[string]string{}, tried: map[string]time.Time{}, buckets: map[string]uint64{}, nodes: map[string]uint64{},
		news: true, swept: t.c.config.Now(),
	}
	return t.watchList(ctx, t.c.keys.wanteds(), "reading announcements", a.update)
}

// update takes in what the buckets say.
func (a *announced) update(ctx context.Context, pairs api.KVPairs) error {
	now := a.t.c.config.Now()
	again := map[string]bool{} // ids whose bucket was written
	all := a.ignored > 0       // what was ignored may have room by now
	a.ignored = 0
	for _, pair := range pairs {
		bucket := strings.TrimPrefix(pair.Key, a.t.c.keys.wanteds())
		if !all && a.buckets[bucket] == pair.ModifyIndex {
			continue
		}
		written := a.buckets[bucket] != pair.ModifyIndex
		w, bad, err := record.ParseWanted(bucket, pair.Value)
		if err != nil || bad > 0 {
			a.t.c.logger.Debug("an announcement is broken", "key", pair.Key, "lines", bad, "error", err)
		}
		for id, hour := range w {
			a.want(id, hour, now)
			if written {
				again[id] = true
			}
		}
		a.buckets[bucket] = pair.ModifyIndex
	}
	if err := a.fetch(ctx, now, again); err != nil {
		a.buckets = map[string]uint64{}
		return err
	}
	a.expire(now)
	a.tell()
	if now.Sub(a.swept) < removeEvery {
		return nil
	}
	a.swept = now
	return errors.Join(a.remove(ctx, pairs, now), a.removeEnded(ctx, now), a.removeNodes(ctx, now))
}

// tell tells what has changed.
func (a *announced) tell() {
	if !a.news && a.ignored == a.told.Ignored && maps.Equal(a.refused, a.told.Refused) {
		return
	}
	a.told = Announcements{Refused: maps.Clone(a.refused), Ignored: a.ignored}
	all := a.told
	all.Gone = a.gone
	a.news, a.gone = false, nil
	a.listener.Changed(all)
}

// want takes in one line.
func (a *announced) want(id string, hour, now time.Time) {
	key := fingerprintOf(id)
	one, known := a.known[key]
	if !hour.After(one.hour()) || hour.After(now.Add(ahead)) {
		return
	}
	// Lines without certificates must not fill the memory.
	if !known && len(a.known) >= 2*a.o.Max {
		a.tooMany()
		return
	}
	one.hours = hoursOf(hour)
	a.known[key] = one
}

// tooMany counts a line for which there is no room.
func (a *announced) tooMany() {
	a.ignored++
	if !a.full {
		a.full = true
		a.t.c.logger.Warn("no more announced certificates are taken", "max", a.o.Max)
	}
}

// live reports whether an announcement of this hour still counts: until TTL
// after the hour's end.
func (a *announced) live(hour, now time.Time) bool { return now.Sub(hour) < a.o.TTL+time.Hour }

// fetch reads the certificates that are new. One that was not there, or was
// none, is looked for again when its bucket was written, and seldom otherwise:
// anybody who may announce can write lines without end.
func (a *announced) fetch(ctx context.Context, now time.Time, again map[string]bool) error {
	var ids []string
	for key, one := range a.known {
		if one.followed || !a.live(one.hour(), now) || one.over(now) {
			continue
		}
		id := key.String()
		if tried, ok := a.tried[id]; ok && !again[id] && now.Sub(tried) < lookAgain {
			continue
		}
		if a.follows+len(ids) >= a.o.Max {
			a.tooMany()
			continue
		}
		ids = append(ids, id)
	}
	for part := range slices.Chunk(ids, readStaples) {
		names := make([]string, len(part))
		for i, id := range part {
			names[i] = a.t.c.keys.certificate(id)
		}
		pairs, err := a.t.c.getAll(ctx, names, readStaples)
		if err != nil {
			return err
		}
		for i, id := range part {
			a.take(id, pairs[names[i]], now)
		}
	}
	return nil
}

// take takes in the certificate of id, or says why not.
func (a *announced) take(id string, pair *api.KVPair, now time.Time) {
	why := "there is no certificate"
	if pair != nil {
		cert, leaf, err := announcedLeaf(id, pair.Value)
		if err == nil {
			delete(a.refused, id)
			delete(a.tried, id)
			one := a.known[fingerprintOf(id)]
			one.end = leaf.NotAfter.Unix()
			if one.followed = !one.over(now); one.followed {
				cert.Issuer = a.shared(cert.Issuer)
				a.follows, a.news = a.follows+1, true
				a.listener.Take(id, cert)
			}
			a.known[fingerprintOf(id)] = one
			return
		}
		why = err.Error()
	}
	a.tried[id] = now
	if a.refused[id] == why || a.refused[id] == "" && len(a.refused) >= maxRefused {
		return
	}
	if a.refused[id] == "" {
		a.t.c.logger.Warn("an announcement is not followed", "id", id, "error", why)
	}
	a.refused[id] = why
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

// expire leaves out what no node wanted for TTL, and what has ended itself.
func (a *announced) expire(now time.Time) {
	for key, one := range a.known {
		if one.followed && (!a.live(one.hour(), now) || one.over(now)) {
			one.followed = false
			a.known[key] = one
			a.gone = append(a.gone, key.String())
			a.follows, a.news = a.follows-1, true
		}
	}
	for id := range a.tried {
		if !a.live(a.known[fingerprintOf(id)].hour(), now) {
			delete(a.tried, id)
			delete(a.refused, id)
		}
	}
}

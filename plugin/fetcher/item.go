package fetcher

import (
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"time"

	"github.com/consul-ocsp/consul-ocsp/plugin/record"
	"github.com/consul-ocsp/consul-ocsp/plugin/staple"
)

// item is a target with what is known of it. Its fields change under the
// fetcher's mu; while busy is set, only the one whose turn it is changes those
// about the response. There may be very many of them, most of which wait: what
// only some have is behind pointers.
type item struct {
	id string
	// of what the target is made: see target.
	own          *Target
	announcement *Announcement
	settings     *Settings
	// also are further targets of the same certificate, under other names.
	also *[]Target

	// held is the newest verified response, nil if there is none.
	held *held

	outcome, reason string
	failing         *failing // nil while nothing fails
	asked           time.Time

	// versions are what responders call what they gave last; bypass is the last
	// try to get past their caches.
	versions []version
	bypass   *bypass

	// forced are those who wait for the next turn, which asks in any case.
	forced []func(Result)
	next   time.Time // zero: never
	index  int       // in the queue; -1: not there

	// read says that the store was read since the target or its settings came.
	read  bool
	round uint32 // of the Set that named it last
	// replace says that what the store holds is not the CA's word.
	replace   bool
	mentioned bool // that nothing is fetched for it
	busy      bool
	gone      bool // no target any more
	again     bool // a change came while busy
}

// failing is what is known of failures in a row.
type failing struct {
	err   error
	count int
	since time.Time
	told  time.Time // of the last trouble that was reported; zero: none is
	// complaint is the one that counts this item while it fails; said are the
	// reasons that were logged of it, hinted that it fails as new ones do.
	complaint *complaint
	said      []string
	hinted    bool
	// waits is the host that the next turn waits for; "": none.
	waits string
}

// failures is how many there were in a row.
func (it *item) failures() int {
	if it.failing == nil {
		return 0
	}
	return it.failing.count
}

// waits is the host that the next turn waits for; "": none.
func (it *item) waits() string {
	if it.failing == nil {
		return ""
	}
	return it.failing.waits
}

// told reports whether a trouble was reported.
func (it *item) told() bool { return it.failing != nil && !it.failing.told.IsZero() }

// target is what the item is to keep a response for.
func (it *item) target() Target {
	if it.own != nil {
		return *it.own
	}
	return it.announcement.Target(*it.settings)
}

// aim makes t what the item is to keep a response for; settings is the copy of
// t's that others have, too.
func (it *item) aim(t Target, settings *Settings) {
	it.settings, it.announcement, it.own, it.also = settings, t.announcement, nil, nil
	if t.announcement == nil {
		it.own = &t
	}
}

// alias adds a further target of the same certificate.
func (it *item) alias(t Target) {
	also := []Target{t}
	if it.also != nil {
		also = append(slices.Clip(*it.also), t)
	}
	it.also = &also
}

// targets are all of the item.
func (it *item) targets() []Target {
	all := []Target{it.target()}
	if it.also != nil {
		all = append(all, *it.also...)
	}
	return all
}

// interned are settings of which targets that have the same share one copy.
type interned []*Settings

// maxInterned bounds the search for a copy.
const maxInterned = 64

func (in *interned) one(s Settings) *Settings {
	for _, known := range *in {
		if sameSettings(known, &s) {
			return known
		}
	}
	if len(*in) == maxInterned {
		*in = nil
	}
	*in = append(*in, &s)
	return &s
}

func sameSettings(a, b *Settings) bool {
	return a.MinDelay == b.MinDelay && a.MaxDelay == b.MaxDelay && a.Timeout == b.Timeout && a.Off == b.Off &&
		a.Proxy == b.Proxy && a.Host == b.Host && a.AllowPrivateAddresses == b.AllowPrivateAddresses &&
		a.AllowSHA1Signatures == b.AllowSHA1Signatures && a.Concurrency == b.Concurrency && a.Rate == b.Rate &&
		slices.Equal(a.Responders, b.Responders) && slices.Equal(a.AllowedResponders, b.AllowedResponders) &&
		slices.EqualFunc(a.TrustedResponders, b.TrustedResponders, sameCertificate)
}

// held is a verified response that is held for an item. It does not change.
type held struct {
	// staple is nil where the store has it and it is seldom needed: see rest.
	staple           *record.Staple
	sha256           [sha256.Size]byte
	status           string
	this, next       int64 // in seconds since 1970, the finest that a response has
	until, revoked   int64
	revocationReason string
}

func hold(st *record.Staple) *held {
	m := st.Meta
	return &held{
		staple: st, sha256: checksum(m.SHA256), status: m.Status, this: m.ThisUpdate.Unix(), next: m.NextUpdate.Unix(),
		until: m.Until.Unix(), revoked: m.RevokedAt.Unix(), revocationReason: m.RevocationReason,
	}
}

// rest is h without the response, which is in the store.
func (h *held) rest() *held {
	r := *h
	r.staple, r.status = nil, statusOf(h.status)
	return &r
}

// meta is what is known of the response: all that decides what supersedes it.
func (h *held) meta() record.Meta {
	if h == nil {
		return record.Meta{}
	}
	if h.staple != nil {
		return h.staple.Meta
	}
	return record.Meta{
		SHA256: hex.EncodeToString(h.sha256[:]), Status: h.status, ThisUpdate: timeOf(h.this), NextUpdate: timeOf(h.next), Until: timeOf(h.until),
		RevokedAt: timeOf(h.revoked), RevocationReason: h.revocationReason,
	}
}

// result is the response as far as it is in memory, nil if there is none.
func (h *held) result(id string) *record.Staple {
	if h == nil {
		return nil
	}
	st := record.Staple{ID: id, Meta: h.meta()}
	if h.staple != nil {
		st = *h.staple
	}
	return &st
}

// checksum is what the hex digits stand for; they are well formed in all that is
// held.
func checksum(digits string) (sum [sha256.Size]byte) {
	if len(digits) == 2*len(sum) {
		_, _ = hex.Decode(sum[:], []byte(digits))
	}
	return sum
}

// timeOf is the time of a number of seconds since 1970; zero for that of the
// zero time.
func timeOf(seconds int64) time.Time {
	t := time.Unix(seconds, 0).UTC()
	if t.IsZero() {
		return time.Time{}
	}
	return t
}

// statusOf is a status without the text that it was read from.
func statusOf(status string) string {
	for _, s := range []staple.Status{staple.Good, staple.Revoked} {
		if status == string(s) {
			return string(s)
		}
	}
	return status
}

// whole is the response with all that is said of it: from the store where it is
// only there; nil where the store has another by now. Verified when it was
// held, it is to be verified again before it counts.
func (f *Fetcher) whole(id string, h *held) *record.Staple {
	if h == nil {
		return nil
	}
	if h.staple != nil {
		return h.staple
	}
	st, found, err := f.c.Store.Staple(id)
	if err != nil || !found || checksum(st.Meta.SHA256) != h.sha256 {
		return nil
	}
	return &st
}

// life is that of what is held, which must be there.
func (it *item) life() life { return it.held.life() }

func (h *held) life() life {
	if h.staple != nil {
		return lifeOf(h.staple)
	}
	return life{this: timeOf(h.this), until: timeOf(h.until)}
}

func lifeOf(st *record.Staple) life {
	return life{this: st.Meta.ThisUpdate, until: st.Meta.Until}
}

// end is when what is held ends, zero if nothing is held.
func (it *item) end() time.Time {
	if it.held == nil {
		return time.Time{}
	}
	return it.held.life().until
}

// alive reports whether what is held still serves at now.
func (it *item) alive(now time.Time) bool { return it.held != nil && it.end().After(now) }

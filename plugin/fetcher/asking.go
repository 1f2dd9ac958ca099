package fetcher

import (
	"crypto/sha256"
	"slices"
	"time"

	"github.com/consul-ocsp/consul-ocsp/plugin/responder"
)

// version is a response as one responder names it.
type version struct {
	url        string
	validators responder.Validators
	sha256     [sha256.Size]byte
}

// askOne asks the responder that is next, in the way that is next.
func (t *turn) askOne() {
	if t.leftAlone() {
		return
	}
	q := t.question()
	began := t.f.c.Now()
	got, failed := t.f.exchange(t.ctx, t.target, q)
	if t.ctx.Err() == nil || failed == nil {
		t.tellHost(hostOf(q.url), began, failed)
	}
	switch {
	case failed == nil && t.outdated(got, q):
		t.second = newer(t.second, got)
		t.askAgain(q.how + 1)
	case failed == nil:
		t.took(newer(got, t.second), q.url)
	case t.ctx.Err() != nil:
		// The round ends; nothing was learned of the responder.
	case q.how == usually && failed.then != usually:
		t.askAgain(failed.then)
	default:
		t.note(failed)
		t.waitFor(hostOf(q.url))
		t.goOn(q, failed)
	}
}

// leftAlone goes on with the next responder if the host of this one is not to
// be asked now.
func (t *turn) leftAlone() bool {
	host := hostOf(t.urls[t.at])
	why, _ := t.f.hosts.closed(host, t.until(), t.f.c.Now(), t.target.pace(), t.patient && len(t.forced) == 0)
	if why == nil {
		return false
	}
	t.reason, t.errs = why.reason, append(t.errs, why.err)
	t.waitFor(host)
	t.goOn(question{url: t.urls[t.at], how: byPOST}, why)
	return true
}

// waitFor notes a host that may have to come back before the next try, and
// when it may be asked.
func (t *turn) waitFor(host string) {
	at := t.f.hosts.reopens(host, t.until(), t.f.c.Now(), t.target.pace())
	if at.IsZero() {
		t.own = true
		return
	}
	if t.waits == "" || at.Before(t.opens) {
		t.waits, t.opens = host, at
	}
}

// until is when what is held ends.
func (t *turn) until() time.Time {
	t.f.mu.Lock()
	defer t.f.mu.Unlock()
	return t.it.end()
}

// tellHost has a host learn from an exchange.
func (t *turn) tellHost(host string, began time.Time, failed *failure) {
	s := seen{id: t.target.ID, began: began, end: t.f.c.Now(), signal: answered, failed: failed, jitter: t.f.c.Rand()}
	s.quick = s.end.Sub(began) <= t.target.Settings.Timeout/5
	if failed != nil {
		s.signal = failed.signal
	}
	if t.f.c.Exchanged != nil {
		t.f.c.Exchanged(host, failed.why(), s.end.Sub(began))
	}
	t.asked = true
	paused, recovered := t.f.hosts.learn(host, s)
	if paused {
		t.f.saysLeftAlone(host, failed)
	}
	if recovered {
		t.f.saysBack(host)
		t.f.cameBack(host)
	}
}

// cameBack gives a turn now to all that wait for a host.
func (f *Fetcher) cameBack(host string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	now := f.c.Now()
	for _, it := range f.items {
		if it.waits() == host && it.index >= 0 && it.next.After(now) {
			f.queue(it, now)
		}
	}
	f.wakeUp()
}

// goOn follows a failure: by POST where GET past caches did not help,
// with what is there, or to the next responder.
func (t *turn) goOn(q question, failed *failure) {
	switch {
	case q.how == uncached && failed.signal == answered:
		t.askAgain(byPOST)
	case t.second != nil:
		t.took(t.second, q.url)
	default:
		if t.at, t.how = t.at+1, usually; t.at < len(t.urls) {
			t.submit(hostOf(t.urls[t.at]), t.askOne)
			return
		}
		t.fail()
	}
}

func (t *turn) askAgain(h how) {
	t.how = h
	t.submit(hostOf(t.urls[t.at]), t.askOne)
}

// question is what is asked next. Validators go along only where they name
// what is held, and never past caches.
func (t *turn) question() question {
	q := question{url: t.urls[t.at], how: t.how}
	t.f.mu.Lock()
	t.it.asked = t.f.c.Now()
	at := slices.IndexFunc(t.it.versions, func(v version) bool { return v.url == q.url })
	if at < 0 || q.how != usually || t.it.held == nil || t.it.versions[at].sha256 != t.it.held.sha256 {
		t.f.mu.Unlock()
		return q
	}
	h, validators := t.it.held, t.it.versions[at].validators
	t.f.mu.Unlock()
	if st := t.f.whole(t.target.ID, h); st != nil {
		q.validators, q.held = validators, st
	}
	return q
}

// took ends the asking with a verified response.
func (t *turn) took(r *reply, url string) {
	t.freshUntil = r.freshUntil
	t.f.mu.Lock()
	t.it.versions = slices.DeleteFunc(t.it.versions, func(v version) bool { return v.url == url })
	if r.validators != (responder.Validators{}) && len(t.it.versions) < 2*maxURLs {
		t.it.versions = append(slices.Clip(t.it.versions), version{url: url, validators: r.validators, sha256: checksum(r.staple.Meta.SHA256)})
	}
	t.f.mu.Unlock()
	t.received(r.staple)
}

// newer is the one of two replies that supersedes the other, else the first;
// either may be nil.
func newer(a, b *reply) *reply {
	if a == nil || b != nil && b.staple.Meta.Supersedes(a.staple.Meta) {
		return b
	}
	return a
}

// outdated reports whether a response looks like one that a cache kept too
// long, so that it pays to ask again: it is older than the held one, or the
// same past its half-life.
func (t *turn) outdated(got *reply, q question) bool {
	if !got.cached || q.how == byPOST {
		return false
	}
	t.f.mu.Lock()
	defer t.f.mu.Unlock()
	it, now := t.it, t.f.c.Now()
	switch {
	case it.held == nil || got.staple.Meta.ThisUpdate.After(it.life().this):
		return false
	case got.staple.Meta.ThisUpdate.Before(it.life().this) || q.how == uncached:
		return true
	}
	last := bypass{}
	if it.bypass != nil {
		last = *it.bypass
	}
	if !last.worth(it.held.sha256, it.life(), now) {
		return false
	}
	it.bypass = &bypass{sha256: it.held.sha256, left: it.life().until.Sub(now)}
	return true
}

// bypass is when it was last tried whether there is something newer behind the
// caches than one response, by the time that was left of it.
type bypass struct {
	sha256 [sha256.Size]byte
	left   time.Duration
}

// worth reports whether it is time to try: once past the half-life, then each
// time that half of what was left has passed. Many CAs renew late, and should
// not be asked three times at each refresh for it.
func (b bypass) worth(sum [sha256.Size]byte, l life, now time.Time) bool {
	if now.Before(l.half()) {
		return false
	}
	return b.sha256 != sum || l.until.Sub(now) <= b.left/2
}

package fetcher

import "time"

// history is what a schedule needs to know of a certificate's turns so far.
type history struct {
	// found says that the response was found in the store: when it was fetched
	// nobody knows.
	found bool
	// freshUntil is until when the responder wants its answer to be kept, zero
	// where it does not say.
	freshUntil time.Time
	// failures in a row; with any, nothing new came of the last turn.
	failures int
	// quick says that the failure is normal for a while, as with a certificate
	// that was just issued.
	quick bool
	// waits says that the hosts that could be asked are in trouble: the first
	// may be asked at opens. Own says that there are others, too.
	waits, own bool
	opens      time.Time
}

// next is a certificate's next turn after one that ended now: all of the
// schedule, from the held response (zero: none), the history, the time and the
// configuration alone. Jitter in [0, 1) is the caller's dice.
func next(l life, h history, now time.Time, p pace, jitter float64) time.Time {
	switch {
	case h.failures == 0 && h.found:
		return l.first(now, p, jitter)
	case h.failures == 0 && l.until.IsZero():
		return now.Add(p.min)
	case h.failures == 0:
		return pulled(l.next(now, p, jitter), h.freshUntil, now, p)
	}
	own := retry{failures: h.failures, until: l.until, quick: h.quick}.after(now, p, jitter)
	switch opens := latest(h.opens, now.Add(shortest)); {
	case !h.waits:
		return own
	case h.own:
		return earliest(own, opens)
	default:
		return opens
	}
}

// life is what a schedule needs to know of a held response.
type life struct {
	this, until time.Time
}

// half is when a response is to be refreshed at the latest, if nothing else
// speaks for an earlier or a later moment.
func (l life) half() time.Time { return l.this.Add(l.until.Sub(l.this) / 2) }

// pace is the time between two fetches: at least min and at most max, unless
// the response ends too soon for that.
type pace struct {
	min, max time.Duration
}

// shortest is the least time between two fetches, whatever ends.
const shortest = time.Second

// next is when a response is fetched again after a fetch at now that brought
// it: at its half-life, or, where that has passed because the responder has
// nothing newer yet, after half of what is left; within the pace; and early
// enough that it does not end before. jitter in [0, 1) pulls it earlier, by a
// tenth of the way back to the lower bound at most.
func (l life) next(now time.Time, p pace, jitter float64) time.Time {
	at := l.half()
	if !at.After(now) {
		at = now.Add(l.until.Sub(now) / 2)
	}
	low, high := now.Add(p.min), now.Add(p.max)
	at = earliest(latest(at, low), high)
	at = earliest(at, l.last(p))
	at = latest(at, now.Add(l.floor(now, p)))
	return at.Add(-time.Duration(jitter * 0.1 * float64(at.Sub(earliest(low, at)))))
}

// pulled is the next fetch where the responder says until when its answer is
// fresh: then, if that is earlier, though not before min has passed.
func pulled(at, freshUntil, now time.Time, p pace) time.Time {
	if freshUntil.IsZero() {
		return at
	}
	return earliest(at, latest(freshUntil, now.Add(p.min)))
}

// last is the moment by which the response has been asked for once more: an
// eighth of its life before its end, though not more than an hour or max.
func (l life) last(p pace) time.Time {
	return l.until.Add(-min(l.until.Sub(l.this)/8, time.Hour, p.max))
}

// floor keeps the fetches for a response that ends soon, or has ended, apart:
// by a quarter of what is left, or a hundredth of the whole, but not by more
// than the pace asks for.
func (l life) floor(now time.Time, p pace) time.Duration {
	return min(p.min, max(l.until.Sub(now)/4, l.until.Sub(l.this)/100, shortest))
}

// first is when a response is fetched that was found in the store at now. When
// it was fetched nobody knows, so certificates are spread over the time to
// their next fetch: a new leader does not ask for all at once.
func (l life) first(now time.Time, p pace, jitter float64) time.Time {
	if !l.until.After(now) {
		return now
	}
	to, from := l.next(now, p, 0), now
	if l.half().After(now) {
		from = earliest(now.Add(p.min), to)
	}
	return to.Add(-time.Duration(jitter * float64(to.Sub(from))))
}

// due reports whether a single pass fetches a response that was found in the
// store. It was fetched at thisUpdate or later; thisUpdate is what is known.
func (l life) due(now time.Time, p pace) bool {
	at := earliest(latest(l.half(), l.this.Add(p.min)), l.this.Add(p.max))
	return !now.Before(earliest(at, l.last(p)))
}

// retry is what the pause after a failure depends on.
type retry struct {
	// failures in a row, this one included.
	failures int
	// until is the end of what is held, zero if nothing is.
	until time.Time
	// asked is the responder's Retry-After.
	asked time.Duration
	// quick says that the failure is normal for a while, as with a
	// certificate that was just issued.
	quick bool
}

// after is when the next try follows a failure at now. Pauses double from the
// smaller of min and a minute up to max, times 0.5 to 1.5 by jitter in [0, 1).
// A response that ends soon is asked for sooner, a responder that asks for a
// longer pause gets it within the same bounds.
func (r retry) after(now time.Time, p pace, jitter float64) time.Time {
	base := max(min(p.min, time.Minute), shortest)
	pause := base
	if !r.quick {
		for i := 1; i < r.failures && pause < p.max; i++ {
			pause *= 2
		}
	}
	pause = min(time.Duration((0.5+jitter)*float64(pause)), max(p.max, base))
	left := r.until.Sub(now)
	if left > 0 {
		pause = min(pause, max(base/2, left/4))
	}
	if asked := min(r.asked, p.max); asked > pause {
		pause = asked
		if left > 0 {
			pause = min(pause, max(base, left/2))
		}
	}
	return now.Add(pause)
}

func earliest(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

func latest(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

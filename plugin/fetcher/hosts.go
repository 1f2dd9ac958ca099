package fetcher

import (
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/consul-ocsp/consul-ocsp/plugin/responder"
	"github.com/consul-ocsp/consul-ocsp/plugin/staple"
)

// signal is what an exchange says of the host that was asked, whatever it says
// of the certificate.
type signal int

const (
	none     signal = iota // nothing: the host was not reached, by our own rules
	answered               // it answers
	hurt                   // it may have too much to do: a timeout, a reset, 503
	busy                   // it asks for a pause: 429, Retry-After
	gone                   // nobody answers there
)

// signalOf is that of an exchange without an answer.
func signalOf(f *responder.Failure) signal {
	switch f.Reason {
	case responder.BadURL, responder.HostForbidden, responder.AddressForbidden, responder.Canceled:
		return none
	case responder.DNS, responder.Refused, responder.Unreachable, responder.TLS, responder.Proxy:
		return gone
	case responder.Timeout, responder.Reset:
		return hurt
	}
	switch {
	case f.HTTPStatus == http.StatusTooManyRequests, f.RetryAfter > 0:
		return busy
	case f.HTTPStatus == http.StatusServiceUnavailable, f.HTTPStatus == http.StatusBadGateway, f.HTTPStatus == http.StatusGatewayTimeout:
		return hurt
	}
	return answered
}

// signalOfRefusal is that of an answer that was refused.
func signalOfRefusal(reason string, retryAfter time.Duration) signal {
	switch {
	case retryAfter > 0:
		return busy
	case reason == string(staple.TryLater):
		return hurt
	}
	return answered
}

const (
	// firstWindow is how many exchanges go on at a time with a host of which
	// nothing is known, where at most 32 may. Where more may, somebody has said
	// what the responder bears: then it is an eighth, up to mostFirst.
	firstWindow = 4
	mostFirst   = 16
	// mostInVain is how many exchanges in a row may fail before a pass gives
	// up on a host.
	mostInVain = 16
)

// host is what was learned of one responder host. It outlives rounds.
type host struct {
	// window is how many exchanges may go on at a time. It grows by one with
	// each quick answer up to threshold, from there by one with each window's
	// worth of them, and is halved by trouble.
	window, threshold float64
	// cut is when it was halved. What began before does not halve it again.
	cut time.Time

	// failures in a row, of exchanges that began after the one before failed.
	failures int
	failedAt time.Time
	// id is a certificate that failed; paused says that it is not the
	// certificate's fault.
	id         string
	paused     bool
	retryAfter time.Duration
	jitter     float64
	reason     string
	err        error
	// answers says that the last exchange was answered.
	answers bool
	// inVain counts every failed exchange since the last answer, in this round.
	inVain int
}

// seen is one exchange, as its host sees it.
type seen struct {
	id         string
	began, end time.Time
	signal     signal
	// quick says that the answer took a small part of the timeout.
	quick bool
	// failed tells of the failure; nil: none.
	failed *failure
	jitter float64
}

// learn takes in an exchange, and reports whether the host is paused by it, or
// answers again.
func (h *host) learn(s seen) (paused, recovered bool) {
	if h.failedAt.After(s.end) || h.cut.After(s.end) { // the clock was set back
		h.failedAt, h.cut = earliest(h.failedAt, s.began.Add(-1)), time.Time{}
	}
	if s.signal != none {
		h.answers = s.signal == answered
	}
	switch s.signal {
	case none:
		return false, false
	case answered:
		h.grow(s.quick)
		h.inVain = 0
		if recovered = h.paused && s.began.After(h.failedAt); recovered || !h.paused {
			h.failures, h.paused, h.retryAfter, h.id, h.err = 0, false, 0, "", nil
		}
		return false, recovered
	case hurt, busy:
		h.halve(s)
	}
	h.inVain++
	before := h.paused
	// What fails for one certificate alone delays no other, unless the host
	// asks for a pause.
	h.paused = h.paused || s.signal == busy || h.id != "" && h.id != s.id
	h.id = s.id
	if h.failures == 0 || s.began.After(h.failedAt) {
		h.failures++
		h.failedAt, h.jitter = s.end, s.jitter
		h.retryAfter = 0
	}
	h.retryAfter = max(h.retryAfter, s.failed.retryAfter)
	h.reason, h.err = s.failed.reason, s.failed.err
	return h.paused && !before, false
}

func (h *host) grow(quick bool) {
	switch {
	case !quick:
	case h.window < h.threshold:
		h.window++
	default:
		h.window += 1 / h.window
	}
	h.window = min(h.window, 1<<16)
}

func (h *host) halve(s seen) {
	if h.cut.IsZero() || s.began.After(h.cut) {
		h.window = max(h.window/2, 1)
		h.threshold, h.cut = h.window, s.end
	}
}

// open is when a certificate that has until left may ask the host again: the
// nearer its end, the earlier. Zero: at once.
func (h *host) open(until, now time.Time, p pace) time.Time {
	if !h.paused || h.failedAt.After(now) { // the clock was set back
		return time.Time{}
	}
	r := retry{failures: h.failures, until: until, asked: h.retryAfter}
	return r.after(h.failedAt, p, h.jitter)
}

// hosts are all responder hosts. Its methods may be called concurrently.
type hosts struct {
	mu     sync.Mutex
	byName map[string]*host
}

func newHosts() *hosts { return &hosts{byName: make(map[string]*host)} }

// keep forgets hosts that no target has.
func (hs *hosts) keep(limits map[string]limit) {
	hs.mu.Lock()
	defer hs.mu.Unlock()
	for name := range hs.byName {
		if _, ok := limits[name]; !ok {
			delete(hs.byName, name)
		}
	}
}

// forget has the hosts of responders asked as if nothing were known of them.
func (hs *hosts) forget(urls []string) {
	hs.mu.Lock()
	defer hs.mu.Unlock()
	for _, url := range urls {
		delete(hs.byName, hostOf(url))
	}
}

// first is the window to begin with, where most exchanges may go on at a time.
func first(most int) int { return min(max(firstWindow, min(most/8, mostFirst)), most) }

func (hs *hosts) get(name string, most int) *host {
	h, ok := hs.byName[name]
	if !ok {
		h = &host{window: float64(first(most)), threshold: 1 << 16}
		hs.byName[name] = h
	}
	return h
}

func (hs *hosts) learn(name string, s seen) (paused, recovered bool) {
	hs.mu.Lock()
	defer hs.mu.Unlock()
	return hs.get(name, firstWindow).learn(s)
}

// begin starts a round: what was in vain before does not count in it.
func (hs *hosts) begin() {
	hs.mu.Lock()
	defer hs.mu.Unlock()
	for _, h := range hs.byName {
		h.inVain = 0
	}
}

// again has the hosts of responders asked although they may have failed: one
// that is paused once more, the others as at the start of a round.
func (hs *hosts) again(urls []string) {
	hs.mu.Lock()
	defer hs.mu.Unlock()
	for _, url := range urls {
		h := hs.byName[hostOf(url)]
		switch {
		case h == nil:
		case h.paused:
			h.inVain = mostInVain - 1
		default:
			h.inVain = 0
		}
	}
}

// concurrency is how many exchanges may go on at a time, of most. Of a host
// that is paused one is asked whether it is back.
func (hs *hosts) concurrency(name string, most int) int {
	hs.mu.Lock()
	defer hs.mu.Unlock()
	h := hs.get(name, most)
	if h.paused {
		return 1
	}
	return min(max(int(h.window), 1), most)
}

// proven reports whether a host answers.
func (hs *hosts) proven(name string) bool {
	hs.mu.Lock()
	defer hs.mu.Unlock()
	h := hs.byName[name]
	return h != nil && h.answers
}

// closed is why a host is not asked now, and when it will be; nil: it is. A
// pass that is not patient asks whatever was learned before, and gives up on a
// host only in this round.
func (hs *hosts) closed(name string, until, now time.Time, p pace, patient bool) (*failure, time.Time) {
	hs.mu.Lock()
	defer hs.mu.Unlock()
	h := hs.byName[name]
	if h == nil || h.err == nil {
		return nil, time.Time{}
	}
	at := h.open(until, now, p)
	if patient && !at.After(now) || !patient && h.inVain < mostInVain {
		return nil, time.Time{}
	}
	return &failure{reason: h.reason, err: fmt.Errorf("host %.80q was not asked again: %w", name, h.err)}, at
}

// reopens is when a certificate may ask again after it failed; zero: as its own
// failures have it.
func (hs *hosts) reopens(name string, until, now time.Time, p pace) time.Time {
	hs.mu.Lock()
	defer hs.mu.Unlock()
	if h := hs.byName[name]; h != nil {
		return h.open(until, now, p)
	}
	return time.Time{}
}

package fetcher

import (
	"slices"
	"time"

	"github.com/hashicorp/go-hclog"
)

const (
	// mostLines is how many warnings a responder's failures make by name. What
	// comes after them is logged at debug level, and in summaries.
	mostLines = 3
	// firstSummary is when the log sums up for the first time, counted from the
	// first failure. Each pause is twice the one before, up to lastSummary.
	firstSummary, lastSummary = time.Hour, 24 * time.Hour
	// calm is how long a responder must be without failures before it is news
	// again that it fails.
	calm = time.Hour
)

// complaint is what the log was told of the failures of one responder host, so
// that one that is down for a day makes a handful of lines, however many
// certificates it has. It is guarded by the fetcher's mu.
type complaint struct {
	host string
	// since is the first failure, last what happened last.
	since, last time.Time
	// failing is how many certificates fail now, most how many did at a time.
	failing, most int
	lines         int
	// next is the next summary, step the pause before it.
	next time.Time
	step time.Duration
	// ended says that the log knows of a staple that ended, alone that it knows
	// that the host is left alone, or data_dir fails.
	ended, alone bool
}

// complaint is the one about a host, a new one where the last is long over. The
// caller holds mu.
func (f *Fetcher) complaint(host string, now time.Time) *complaint {
	c := f.complaints[host]
	if c == nil || c.failing == 0 && now.Sub(c.last).Abs() > calm {
		c = &complaint{host: host, since: now, next: now.Add(firstSummary), step: firstSummary}
		f.complaints[host] = c
	}
	c.last = now
	return c
}

// line reports whether one more warning may be written, and whether it is the
// last one.
func (c *complaint) line() (allowed, last bool) {
	if c.lines >= mostLines {
		return false, false
	}
	c.lines++
	return true, c.lines == mostLines
}

// complain logs that a turn has failed, if that is news. The caller holds mu.
func (t *turn) complain(now time.Time, quick bool) {
	it, host := t.it, ""
	if len(t.urls) > 0 {
		host = hostOf(t.urls[0])
	}
	c := t.f.complaint(host, now)
	if it.failing.complaint == nil {
		it.failing.complaint = c
		c.failing++
		c.most = max(c.most, c.failing)
	}
	level, message := hclog.Debug, "no new response"
	switch news := !slices.Contains(it.failing.said, t.reason); {
	case quick && !it.failing.hinted:
		level, it.failing.hinted = hclog.Info, true
	case quick || !news || !t.asked && t.waits != "": // of a host that is left alone the log tells
	default:
		if allowed, last := c.line(); allowed {
			if level, it.failing.said = hclog.Warn, append(it.failing.said, t.reason); t.target.MustStaple && !it.alive(now) {
				level = hclog.Error
			}
			if last {
				message = "no new response; more failures of this responder are logged at debug level, and summed up now and then"
			}
		}
	}
	args := []any{"certificate", t.target.label(), "id", t.target.ID, "reason", it.reason, "kept", it.alive(now)}
	args = stamped(args, "until", it.end())
	t.f.c.Logger.Log(level, message, append(args, "error", it.failing.err)...)
	ended := it.held != nil && !it.alive(now) && !c.ended
	if c.ended = c.ended || ended; ended || !now.Before(c.next) {
		t.f.sumUp(c, it.reason, now)
	}
}

// mentioned reports whether the log has a line about this certificate's failures.
func (f *failing) mentioned() bool { return f != nil && (len(f.said) > 0 || f.hinted) }

// sumUp logs how a host's certificates stand. The caller holds mu.
func (f *Fetcher) sumUp(c *complaint, reason string, now time.Time) {
	var first time.Time
	bare, must := 0, 0
	for _, it := range f.items {
		switch {
		case it.failing == nil || it.failing.complaint != c:
		case !it.alive(now):
			bare++
			if it.target().MustStaple {
				must++
			}
		case first.IsZero() || it.end().Before(first):
			first = it.end()
		}
	}
	level := hclog.Warn
	if c.ended || must > 0 {
		level = hclog.Error
	}
	args := []any{"host", c.host, "reason", reason, "certificates", c.failing, "without_staple", bare, "must_staple", must}
	args = stamped(stamped(args, "next_end", first), "since", c.since)
	f.c.Logger.Log(level, "responder still gives no new responses", args...)
	if !now.Before(c.next) {
		c.step = min(2*c.step, lastSummary)
		c.next = now.Add(c.step)
	}
}

// content ends what is said of an item: it fails no more, or is gone. The caller
// holds mu.
func (f *Fetcher) content(it *item, now time.Time) {
	if it.failing == nil || it.failing.complaint == nil {
		return
	}
	c := it.failing.complaint
	it.failing.complaint, it.failing.said, it.failing.hinted = nil, nil, false
	c.failing--
	c.last = now
	if c.failing == 0 && c.most > 1 {
		f.c.Logger.Info("all certificates of a responder that failed are well again", "host", c.host,
			"certificates", c.most, "failed_for", now.Sub(c.since).Round(time.Second))
		c.ended = false
	}
}

// saysLeftAlone logs that a host is left alone.
func (f *Fetcher) saysLeftAlone(host string, why *failure) {
	f.mu.Lock()
	defer f.mu.Unlock()
	level, c := hclog.Debug, f.complaint(host, f.c.Now())
	if allowed, _ := c.line(); allowed {
		level, c.alone = hclog.Warn, true
	}
	f.c.Logger.Log(level, "responder is left alone for a while", "host", host, "reason", why.reason, "retry_after", why.retryAfter, "error", why.err)
}

// saysBack logs that a host answers again, where it was logged that it did not.
func (f *Fetcher) saysBack(host string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	level := hclog.Debug
	if c := f.complaints[host]; c != nil && c.alone {
		level, c.alone = hclog.Info, false
	}
	f.c.Logger.Log(level, "responder answers again", "host", host)
}

// saysDiskFails logs that data_dir fails for a certificate: it does so for every
// other, too. The caller does not hold mu.
func (f *Fetcher) saysDiskFails(level hclog.Level, message string, target Target, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	now := f.c.Now()
	if f.disk == nil || f.disk.failing == 0 && now.Sub(f.disk.last).Abs() > calm {
		f.disk = &complaint{since: now}
	}
	if f.disk.failing == 0 {
		f.disk.since = now
	}
	f.disk.last, f.disk.failing = now, 1
	allowed, last := f.disk.line()
	if !allowed {
		level = hclog.Debug
	} else if f.disk.alone = true; last {
		message += "; more failures of this kind are logged at debug level"
	}
	f.c.Logger.Log(level, message, "certificate", target.label(), "id", target.ID, "reason", Stored, "error", err)
}

// saysDiskWorks logs that data_dir works again, where the log knows that it did
// not.
func (f *Fetcher) saysDiskWorks() {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.disk == nil || f.disk.failing == 0 {
		return
	}
	f.disk.failing, f.disk.last = 0, f.c.Now()
	if f.disk.alone {
		f.disk.alone = false
		f.c.Logger.Info("responses can be stored again", "after", f.c.Now().Sub(f.disk.since).Round(time.Second))
	}
}

// forgetComplaints drops those about hosts that no target has. The caller holds
// mu.
func (f *Fetcher) forgetComplaints(limits map[string]limit) {
	for host, c := range f.complaints {
		if _, ok := limits[host]; !ok && c.failing == 0 {
			delete(f.complaints, host)
		}
	}
}

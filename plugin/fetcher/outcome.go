package fetcher

import (
	"errors"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/consul-ocsp/consul-ocsp/plugin/record"
	"github.com/consul-ocsp/consul-ocsp/plugin/staple"
)

const (
	// tellEvery is how often a trouble that goes on is reported again.
	tellEvery = 15 * time.Minute
	// settleIn is how long after notBefore a responder may not know a
	// certificate. CAs have 15 minutes, and date notBefore back by an hour.
	settleIn = 90 * time.Minute
	// calmFor is how long that is nothing to warn of: after 15 minutes a CA has
	// to know what it has issued (CA/B Baseline Requirements 4.9.9), and it was
	// issued when it first failed or before.
	calmFor = 15 * time.Minute
)

// rest ends the turn of a certificate for which nothing is fetched, until its
// target changes.
func (t *turn) rest(outcome, reason string) {
	t.f.mu.Lock()
	defer t.f.mu.Unlock()
	if !t.it.mentioned {
		t.it.mentioned = true
		args := []any{"certificate", t.target.label(), "id", t.target.ID, "state", outcome}
		if reason != "" {
			args = append(args, "reason", reason)
		}
		level, more := t.f.fine.Level(t.f.c.Now(), hclog.Info)
		t.f.c.Logger.Log(level, "nothing to fetch"+more, args...)
	}
	t.recovered()
	t.end(Result{Outcome: outcome, Reason: reason}, time.Time{})
}

// settle ends a turn in which nothing failed.
func (t *turn) settle(outcome, reason string) {
	t.f.mu.Lock()
	defer t.f.mu.Unlock()
	if outcome != Fresh {
		t.tell(outcome, reason)
		t.recovered()
		t.end(Result{Outcome: outcome, Reason: reason}, t.next(history{freshUntil: t.freshUntil}))
		return
	}
	t.f.c.Logger.Debug("stored response is fresh", "certificate", t.target.label(), "id", t.target.ID)
	t.end(Result{Outcome: outcome}, t.next(history{found: true}))
}

// next is the turn after this one.
func (t *turn) next(h history) time.Time {
	var l life
	if held := t.holds(); held != nil {
		l = held.life()
	}
	return next(l, h, t.f.c.Now(), t.target.pace(), t.f.c.Rand())
}

// tell logs a response. The caller holds mu.
func (t *turn) tell(outcome, reason string) {
	level, message, more := hclog.Debug, "response is unchanged", ""
	m := t.holds().meta()
	switch revoked := m.Status == string(staple.Revoked); {
	case outcome == Fetched && revoked && !t.wasRevoked && t.f.c.Planned != nil && t.f.c.Planned(t.target.ID):
		level, message = hclog.Info, "certificate is revoked, by plan"
	case outcome == Fetched && revoked && !t.wasRevoked:
		level, message = hclog.Error, "certificate is revoked"
	case outcome == Fetched && revoked:
		level, message = hclog.Info, "certificate is still revoked"
	case outcome == Fetched && t.wasRevoked:
		level, message = hclog.Info, "certificate is no longer revoked"
	case outcome == Fetched:
		message = "new response"
		switch { // otherwise it is what happens every hour
		case t.it.failing.mentioned():
			level = hclog.Info
		case t.hadNone && t.it.failing == nil:
			level, more = t.f.fine.Level(t.f.c.Now(), hclog.Info)
		}
	case t.it.failing.mentioned():
		level = hclog.Info
	}
	args := []any{"certificate", t.target.label(), "id", t.target.ID, "status", m.Status}
	args = stamped(args, "this_update", m.ThisUpdate)
	args = stamped(args, "until", m.Until)
	if m.Responder != "" { // of what the store alone has
		args = append(args, "responder", m.Responder)
	}
	if reason != "" {
		args = append(args, "reason", reason)
	}
	if m.Status == string(staple.Revoked) {
		args = stamped(args, "revoked_at", m.RevokedAt)
		if m.RevocationReason != "" {
			args = append(args, "revocation_reason", m.RevocationReason)
		}
	}
	if t.it.failures() > 0 {
		args = append(args, "failures_before", t.it.failures())
	}
	t.f.c.Logger.Log(level, message+more, args...)
}

// stamped adds a time to what is logged, in the form that logs have it
// throughout; a time that is not known is left out.
func stamped(args []any, key string, t time.Time) []any {
	if t.IsZero() {
		return args
	}
	return append(args, key, t.UTC().Format(time.RFC3339))
}

// recovered forgets failures, also those that another process, or a leader
// before, has reported.
func (t *turn) recovered() {
	it := t.it
	t.f.content(it, t.f.c.Now())
	if t.dry {
		return
	}
	if !it.gone {
		t.f.out.trouble(t.target.ID, nil)
	}
	it.failing, it.reason = nil, ""
}

// fail ends a turn in which no responder gave a verified response. What is held
// stays.
func (t *turn) fail() {
	t.f.mu.Lock()
	defer t.f.mu.Unlock()
	now, it := t.f.c.Now(), t.it
	if it.failing == nil {
		it.failing = &failing{since: now}
	}
	failing := it.failing
	changed := failing.count == 0 || it.reason != t.reason
	if t.asked || failing.count == 0 {
		failing.count++
	}
	failing.waits = t.waits
	it.reason, failing.err = t.reason, errors.Join(t.errs...)
	quick := t.settlingIn(now)
	t.complain(now, quick && now.Sub(failing.since) < calmFor)
	if !t.dry && !it.gone && (changed || now.Sub(failing.told).Abs() >= tellEvery) {
		failing.told = now
		t.f.out.trouble(t.target.ID, &record.Trouble{
			Format: record.Format, Reason: it.reason, Error: failing.err.Error(), Since: failing.since, Last: now,
			Failures: failing.count, Job: t.target.Job, Name: t.target.Name, Names: t.target.hostNames(),
			MustStaple: t.target.MustStaple,
		})
	}
	t.end(Result{Outcome: Failed, Reason: it.reason, Err: failing.err, Kept: it.alive(now)}, t.next(history{
		failures: failing.count, quick: quick, waits: t.waits != "", own: t.own, opens: t.opens,
	}))
}

// settlingIn reports whether the failure is normal for a certificate as new as
// this one.
func (t *turn) settlingIn(now time.Time) bool {
	if t.reason != string(staple.Unauthorized) && t.reason != Unknown {
		return false
	}
	return now.Sub(t.target.notBefore()) < settleIn
}

// end finishes the turn, with the fetcher's mu held.
func (t *turn) end(r Result, next time.Time) {
	it := t.it
	it.busy, it.outcome = false, r.Outcome
	if r.Outcome == Unchanged {
		it.reason = r.Reason
	}
	t.f.counts.Turns[r.Outcome]++
	switch {
	case it.gone:
		it.again = false
		it.dismiss()
	case it.again: // the target changed while this went on
		it.again = false
		t.f.queue(it, t.f.c.Now())
	case next.IsZero():
		t.f.unqueue(it)
	default:
		t.f.queue(it, next)
	}
	r.Target, r.Next = t.target, it.next
	r.Staple = t.holds().result(t.target.ID)
	t.answer(r)
	t.finished(it, r)
	if t.f.c.Ended != nil && !it.gone && !t.dry {
		t.f.c.Ended(r)
	}
	t.slim()
}

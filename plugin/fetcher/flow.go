package fetcher

import (
	"cmp"
	"context"
	"errors"
	"io/fs"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/consul-ocsp/consul-ocsp/plugin/record"
	"github.com/consul-ocsp/consul-ocsp/plugin/staple"
)

// round is one Run or Pass: where its jobs queue, and what it wants.
type round struct {
	f     *Fetcher
	ctx   context.Context
	lanes *lanes
	// fresh says whether what is held needs no fetch now; found tells that it
	// was found in the store just now.
	fresh func(l life, p pace, found bool) bool
	// patient says that a host that has trouble is left alone for a while.
	patient bool
	// dry stores and publishes nothing.
	dry bool
	// again publishes what was found in the store: it may be published nowhere
	// any more.
	again bool
	// finished is told of the end of each turn, with the fetcher's mu held.
	finished func(it *item, r Result)
	// storing has an entry for each response that is being stored.
	storing chan struct{}
}

// mostStored is how many responses are stored at a time: the store writes those
// that come together together.
const mostStored = 512

// turn is one certificate on its way through a round: read what is stored, ask
// one responder after the other until one gives a verified response, store it,
// hand it on. Each step is a job of the host that it needs.
type turn struct {
	*round
	it     *item
	target Target
	urls   []string
	at     int  // the URL that is asked
	how    how  // it is asked
	found  bool // the store was read in this turn
	stored bool // what is held is in the store
	// second is a verified response that may be one that a cache kept too long.
	second *reply
	// freshUntil is that of the response that was received.
	freshUntil time.Time
	// wasRevoked says that what was held before said so.
	wasRevoked bool
	// hadNone says that nothing was held before.
	hadNone bool
	// forced are those who wait for what comes of the turn; with any it asks
	// whatever speaks against it. delivery is what they wait for besides.
	forced   []func(Result)
	delivery *delivery
	// tried is what a dry round fetched.
	tried *held
	// what failed so far
	errs   []error
	reason string
	// asked says that a responder was asked, not only left alone.
	asked bool
	// own says that the certificate's own failures decide about its next turn,
	// too; waits is the host that opens first, at opens.
	own   bool
	waits string
	opens time.Time
}

// begin starts the turn of a busy item.
func (r *round) begin(it *item) {
	r.f.mu.Lock()
	t := &turn{round: r, it: it, target: it.target()}
	t.urls = t.target.urls()
	read := it.read
	t.forced, it.forced = it.forced, nil
	r.f.mu.Unlock()
	now := r.f.c.Now()
	switch {
	case t.target.Settings.Off:
		t.rest(Off, "")
	case now.After(t.target.notAfter()):
		t.rest(NotApplicable, CertificateExpired)
	case len(t.urls) == 0:
		t.rest(NotApplicable, NoResponder)
	case t.target.Issuer == nil:
		t.failed(&failure{reason: NoIssuer, err: errors.New("the issuer's certificate is not known")})
	case read:
		t.askOrRest()
	default:
		t.submit(stored, t.read)
	}
}

// submit queues the next step.
func (t *turn) submit(host string, step func()) {
	t.f.mu.Lock()
	end := t.it.end()
	t.f.mu.Unlock()
	t.lanes.submit(host, job{end: end, first: t.target.MustStaple || len(t.forced) > 0, run: step})
}

// read looks what the store holds. It believes nothing of it unverified.
func (t *turn) read() {
	st, found, err := t.f.c.Store.Staple(t.target.ID)
	if unread := (*fs.PathError)(nil); errors.As(err, &unread) {
		// What is there may be newer than what a responder says now: it stays, and
		// is read next time.
		t.f.saysDiskFails(hclog.Warn, "stored response can't be read", t.target, err)
		t.askOrRest()
		return
	}
	var facts *staple.Facts
	if err == nil && found {
		facts, err = learn(st, t.target, t.f.c.Now(), t.f.verify)
	}
	if err != nil {
		t.f.c.Logger.Warn("stored response is not used", "certificate", t.target.label(), "id", t.target.ID, "reason", cmp.Or(string(staple.ReasonOf(err)), Stored), "error", err)
	}
	t.f.mu.Lock()
	t.found, t.it.read, t.it.replace = true, true, err != nil && !genuine(err)
	if t.it.held != nil {
		// In memory may be what could not be stored, judged by other settings.
		if kept := t.it.held.staple; kept == nil {
			t.it.held = nil // the store has it, or something else by now
		} else if _, err := learn(*kept, t.target, t.f.c.Now(), t.f.verify); err != nil {
			t.it.held = nil
		}
	}
	if facts != nil && (t.it.held == nil || !t.it.held.meta().Supersedes(st.Meta)) {
		st.Meta.Until = facts.Until // the schedule goes by what the response says
		t.it.held, t.stored = hold(&st), true
	}
	t.f.mu.Unlock()
	t.askOrRest()
}

func (t *turn) askOrRest() {
	t.f.mu.Lock()
	fresh := t.it.held != nil && t.it.failures() == 0 && len(t.forced) == 0 && t.fresh(t.it.life(), t.target.pace(), t.found)
	if (fresh || t.f.c.Prompt && t.it.held != nil) && t.found && t.again && !t.it.gone {
		t.f.out.publish(*t.it.held.staple)
	}
	t.f.mu.Unlock()
	if fresh {
		t.settle(Fresh, "")
		return
	}
	t.submit(hostOf(t.urls[0]), t.askOne)
}

// note keeps what one responder failed by.
func (t *turn) note(failed *failure) {
	t.reason = failed.reason
	t.errs = append(t.errs, failed.err)
	t.f.mu.Lock()
	t.f.counts.Failures[failed.reason]++
	t.f.mu.Unlock()
}

func (t *turn) failed(failed *failure) {
	t.own = true
	t.note(failed)
	t.fail()
}

// received takes in a verified response, if it supersedes what is held.
func (t *turn) received(st record.Staple) {
	t.f.mu.Lock()
	held, replace := t.it.held, t.it.replace
	t.f.mu.Unlock()
	t.hadNone = held == nil
	t.wasRevoked = held != nil && held.status == string(staple.Revoked)
	if held != nil && !st.Meta.Supersedes(held.meta()) {
		reason := ""
		if st.Meta.ThisUpdate.Before(held.life().this) {
			reason = Older
		}
		t.settle(Unchanged, reason)
		return
	}
	if t.dry {
		t.tried = hold(&st)
		t.settle(Fetched, "")
		return
	}
	t.aside(func() { t.store(st, replace) })
}

// aside goes on beside the worker, so that a host's next exchange does not wait
// for the disk. It is done also when the round's context ends; the round waits.
func (r *round) aside(step func()) {
	r.storing <- struct{}{}
	r.lanes.workers.Go(func() {
		defer func() { <-r.storing }()
		step()
	})
}

// store keeps a response that supersedes what is held, and hands it on.
func (t *turn) store(st record.Staple, replace bool) {
	if !t.keep(st, replace) {
		t.settle(Unchanged, Older)
		return
	}
	t.f.mu.Lock()
	t.it.held, t.it.replace = hold(&st), false
	// Under mu, so that a target that was dropped meanwhile is not published.
	if !t.it.gone {
		t.deliver(st)
		t.f.out.publish(st)
	}
	t.f.mu.Unlock()
	t.settle(Fetched, "")
}

// keep stores a response and reports whether it is now the newest one. A disk
// that fails does not keep it from the cluster.
func (t *turn) keep(st record.Staple, replace bool) bool {
	var err error
	changed := true
	if replace {
		err = t.f.c.Store.Replace(st)
	} else {
		changed, err = t.f.c.Store.Put(st)
	}
	if err != nil {
		t.stored = false // what the store has is older: this is to be kept here
		t.f.saysDiskFails(hclog.Error, "response could not be stored; it is published all the same", t.target, err)
		return true
	}
	t.f.saysDiskWorks()
	t.stored = changed
	if !changed {
		// Something newer came into the store past us: it is read next time.
		t.f.mu.Lock()
		t.it.read = false
		t.f.mu.Unlock()
	}
	return changed
}

// holds is what the turn ends with: in a dry round, what would be held. Nil: nothing.
func (t *turn) holds() *held {
	if t.tried != nil {
		return t.tried
	}
	return t.it.held
}

// pace is the target's.
func (t Target) pace() pace { return pace{min: t.Settings.MinDelay, max: t.Settings.MaxDelay} }

// slim lets go of what the store has anyway, once a turn of a certificate of
// which there may be very many is over. A pass ends soon; what is not in the
// store is kept. The caller holds mu.
func (t *turn) slim() {
	it := t.it
	if t.patient && t.stored && it.announcement != nil && it.held != nil && it.held.staple != nil {
		it.held = it.held.rest()
	}
}

package writer

import (
	"bytes"
	"errors"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/consul-ocsp/consul-ocsp/plugin/record"
	"github.com/consul-ocsp/consul-ocsp/plugin/staple"
)

// maxWarned bounds the memory of what was warned about.
const maxWarned = 4096

type warning struct{ id, sha256, reason string }

// consider judges a candidate for e from a Source and lets it in if it is
// verified and newer than what is held. It tells whether it was let in.
func (w *Writer) consider(e *entry, st record.Staple) bool {
	defer w.news(e)
	if w.isHeld(e, st.DER) {
		return false
	}
	facts, err := e.cert.verify(st.DER, w.now())
	if err == nil && w.accept(e, facts) {
		w.owe(e, st.Meta)
		return true
	}
	if err == nil {
		err = w.older(e, facts)
	}
	if err != nil {
		w.refuse(e, st.DER, err)
	}
	return false
}

// isHeld tells whether der is what e holds; then nothing is wrong at the
// source any more.
func (w *Writer) isHeld(e *entry, der []byte) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if e.held == nil || !bytes.Equal(e.held.DER, der) {
		return false
	}
	e.refused, e.early = nil, false
	w.leave(&e.complaints[refusals])
	return true
}

// accept makes facts what e holds, if they are newer.
func (w *Writer) accept(e *entry, facts *staple.Facts) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !supersedes(facts, e.held) {
		return false
	}
	// The same response behind several files is kept once.
	for _, other := range w.byID[e.cert.ID] {
		if other.held != nil && bytes.Equal(other.held.DER, facts.DER) {
			facts = other.held
		}
	}
	e.held, e.refused, e.early = facts, nil, false
	w.leave(&e.complaints[refusals])
	return true
}

// older is why facts, though verified, don't replace what is held. Nil where
// both are of the same time: responders with several machines sign twice.
func (w *Writer) older(e *entry, facts *staple.Facts) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if e.held == nil || !facts.ThisUpdate.Before(e.held.ThisUpdate) {
		return nil
	}
	return refuse(ReasonOlder, "thisUpdate %s is before the %s of what is held",
		facts.ThisUpdate.UTC().Format(time.RFC3339), e.held.ThisUpdate.UTC().Format(time.RFC3339))
}

// refuse notes that a candidate was not let in, and warns of it once.
func (w *Writer) refuse(e *entry, der []byte, err error) {
	sum := record.Checksum(der)
	reason := ReasonOf(err)
	w.mu.Lock()
	if e.refused == nil || e.refused.SHA256 != sum || e.refused.Reason != reason {
		e.refused = &Refused{SHA256: sum, Reason: reason, Error: err.Error(), Since: w.now()}
	}
	e.early = reason == string(staple.NotYetValid) || reason == string(staple.ProducedAhead)
	key := warning{e.cert.ID, sum, reason}
	seen := w.warned[key]
	if !seen {
		if len(w.warned) >= maxWarned {
			clear(w.warned)
		}
		w.warned[key] = true
	}
	level, more := hclog.Debug, ""
	if !seen {
		level, more = w.complain(&e.complaints[refusals], refusals, reason)
	}
	w.mu.Unlock()
	if !seen {
		w.log.Log(level, "response refused"+more, "job", e.cert.Job, "name", e.cert.Name, "id", e.cert.ID, "sha256", sum, "reason", reason, "error", err)
	}
}

// owe notes that data_dir does not have what e holds, which came with from.
func (w *Writer) owe(e *entry, from record.Meta) {
	w.mu.Lock()
	defer w.mu.Unlock()
	e.owed = &from
}

// keep has data_dir hold what it is owed of e.
func (w *Writer) keep(e *entry) {
	w.mu.Lock()
	held, from := e.held, e.owed
	e.owed = nil
	w.mu.Unlock()
	if from != nil {
		w.learn(e, held, *from)
	}
}

// learn keeps what was let in over a restart. A failure costs no more than
// that, so it is said and tried again, and stops nothing.
func (w *Writer) learn(e *entry, facts *staple.Facts, from record.Meta) {
	st := record.Staple{ID: e.cert.ID, Meta: meta(&e.cert, facts, from), DER: facts.DER}
	changed, err := w.store.Put(st)
	if err == nil && !changed {
		err = w.unlearn(e, st, facts)
	}
	var level hclog.Level
	var more string
	w.mu.Lock()
	before := e.unkept
	e.unkept = err
	if err != nil && before == nil {
		e.unkeptSince = w.now()
		level, more = w.complain(&e.complaints[unkept], unkept, ReasonStore)
	}
	w.mu.Unlock()
	switch {
	case err != nil && before == nil:
		w.log.Log(level, "response not kept in data_dir"+more, "job", e.cert.Job, "name", e.cert.Name, "id", e.cert.ID, "reason", ReasonStore, "error", err)
	case err == nil && before != nil:
		w.relieved(e, &e.complaints[unkept], "response kept in data_dir again", ReasonStore)
	}
}

// unlearn replaces what is stored if it claims to be newer than st and is not,
// or is no response to this certificate at all.
func (w *Writer) unlearn(e *entry, st record.Staple, facts *staple.Facts) error {
	old, found, err := w.store.Staple(st.ID)
	if err != nil || !found || old.Meta.SHA256 == st.Meta.SHA256 {
		return err
	}
	stored, err := e.cert.verify(old.DER, w.now())
	if err == nil && !supersedes(facts, stored) {
		return nil
	}
	return w.store.Replace(st)
}

// load looks at what data_dir and the file hold for e, at its start.
func (w *Writer) load(e *entry) {
	old, unread := w.readFirst(e)
	if e.cert.Issuer == nil {
		return
	}
	defer func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		if e.held != nil {
			e.loaded = e.held.SHA256()
		}
	}()
	st, found, err := w.store.Staple(e.cert.ID)
	switch {
	case err != nil:
		w.log.Warn("response in data_dir is not readable", "job", e.cert.Job, "name", e.cert.Name, "id", e.cert.ID, "reason", ReasonStore, "error", err)
	case found:
		facts, err := e.cert.verify(st.DER, w.now())
		if err == nil {
			w.accept(e, facts)
		} else if !ended(err) {
			w.refuse(e, st.DER, err)
		}
	}
	// What is wrong with the file or its path shows when it is written.
	if unread != nil || len(old) == 0 || w.isHeld(e, old) {
		return
	}
	facts, err := e.cert.verify(old, w.now())
	if err != nil {
		// Usual after a renewal: it speaks of the certificate before.
		w.log.Info("response in file not used", "job", e.cert.Job, "name", e.cert.Name, "file", e.cert.file(), "reason", ReasonOf(err), "error", err)
		return
	}
	if w.accept(e, facts) {
		w.learn(e, facts, record.Meta{})
	}
}

// ended tells whether a response is only refused because its time is over:
// usual in a data_dir that was not used for long.
func ended(err error) bool {
	r := staple.ReasonOf(err)
	return r == staple.Expired || r == staple.CertificateExpired
}

// meta describes verified facts; what only the source can know is taken from it.
func meta(c *Certificate, f *staple.Facts, from record.Meta) record.Meta {
	m := record.Meta{
		Format: record.Format, SHA256: f.SHA256(), Serial: f.Serial(), Issuer: c.Issuer.Subject.String(),
		Status: string(f.Status), ThisUpdate: f.ThisUpdate, NextUpdate: f.NextUpdate, Until: f.Until, RevokedAt: f.RevokedAt,
		Names: c.Names, Responder: from.Responder, Published: from.Published, Job: c.Job, Name: c.Name, MustStaple: c.MustStaple,
	}
	for _, r := range f.Unstaplable {
		m.Unstaplable = append(m.Unstaplable, string(r))
	}
	return m
}

// fits tells whether the response may be written and installed. What is too
// large for a runtime command only still loads from its file.
func (c *Certificate) fits(f *staple.Facts, now time.Time) error {
	if c.NotHAProxy {
		if !f.Until.After(now) {
			return refuse(ReasonEnded, "the response has ended")
		}
		return nil
	}
	err := f.FitsHAProxy(now)
	var refusal *staple.Refusal
	if errors.As(err, &refusal) && refusal.Reason == staple.TooLarge && len(f.Unstaplable) == 0 {
		return nil
	}
	return err
}

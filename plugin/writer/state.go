package writer

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"github.com/consul-ocsp/consul-ocsp/plugin/staple"
)

// Info is what is known of a verified response. The zero Info is none.
type Info struct {
	SHA256, Status, Serial        string
	ThisUpdate, NextUpdate, Until time.Time
}

func info(f *staple.Facts) Info {
	i := brief(f)
	if f != nil {
		i.SHA256, i.Serial = f.SHA256(), f.Serial()
	}
	return i
}

// brief is what takes no computing.
func brief(f *staple.Facts) Info {
	if f == nil {
		return Info{}
	}
	return Info{Status: string(f.Status), ThisUpdate: f.ThisUpdate, NextUpdate: f.NextUpdate, Until: f.Until}
}

// State is how far one certificate came.
type State struct {
	ID, Job, Name string
	Path, File    string // File is where the response goes, whether it is there or not
	Names         []string
	MustStaple    bool

	Held    Info   // the newest that was verified here
	Applied Info   // the newest that was let through to file and targets
	Filed   bool   // File holds Applied
	Loaded  string // checksum of the newest that data_dir and the file held at the start

	// Reason is the first thing that is wrong with the certificate as a whole,
	// "" if nothing is; Error says more, Since when it came.
	Reason, Error string
	Since         time.Time
	// Refused is the last candidate that was not let in, nil if none or if the
	// source has been mended. It does not touch what is applied.
	Refused *Refused
	Targets []TargetState
	// Planned is left to others: the certificate is revoked by plan, if it is.
	Planned bool
}

// TargetState is how far one target came with a certificate.
type TargetState struct {
	Name   string
	SHA256 string // of what was installed last, "" if nothing was
	How    string
	Detail string
	At     time.Time
	// Reason, Error and Since tell of the failures since then, "" if none.
	Reason, Error string
	Since         time.Time
	Failures      int
}

// States are sorted by job, name and path.
func (w *Writer) States() []State {
	w.mu.Lock()
	entries := slices.Collect(maps.Values(w.entries))
	w.mu.Unlock()
	// Sorting thousands takes long: not while others wait, and not the states,
	// which are large. An entry's cert never changes.
	slices.SortFunc(entries, func(a, b *entry) int {
		return cmp.Or(cmp.Compare(a.cert.Job, b.cert.Job), cmp.Compare(a.cert.Name, b.cert.Name), cmp.Compare(a.cert.Path, b.cert.Path))
	})
	w.mu.Lock()
	defer w.mu.Unlock()
	states := make([]State, len(entries))
	for i, e := range entries {
		states[i] = w.state(e)
	}
	return states
}

// Each calls do with every state, one after the other in no order, for who
// counts: the copies of thousands are much memory. File, checksums and serial numbers,
// which cost the most, are left out, and Targets are its own only until do returns.
func (w *Writer) Each(do func(State)) {
	w.mu.Lock()
	entries := slices.Collect(maps.Values(w.entries))
	w.mu.Unlock()
	var targets []TargetState
	for _, e := range entries {
		w.mu.Lock()
		s := w.outline(e, targets[:0])
		w.mu.Unlock()
		targets = s.Targets
		do(s)
	}
}

func (s State) compare(b State) int {
	return cmp.Or(cmp.Compare(s.Job, b.Job), cmp.Compare(s.Name, b.Name), cmp.Compare(s.Path, b.Path))
}

// state is e's; the caller holds mu.
func (w *Writer) state(e *entry) State {
	s := w.outline(e, nil)
	s.File = e.cert.file()
	s.Held, s.Applied = info(e.held), info(e.applied)
	return s
}

// outline is e's state without what costs the most, with its targets appended to
// these; the caller holds mu.
func (w *Writer) outline(e *entry, targets []TargetState) State {
	c := &e.cert
	s := State{
		ID: c.ID, Job: c.Job, Name: c.Name, Path: c.Path, Names: c.Names, MustStaple: c.MustStaple,
		Held: brief(e.held), Applied: brief(e.applied), Filed: e.filed, Loaded: e.loaded, Targets: targets,
	}
	if e.refused != nil {
		refused := *e.refused
		s.Refused = &refused
	}
	switch {
	case c.Issuer == nil:
		s.Reason, s.Error = ReasonIssuerUnknown, "the issuer is not known"
	case e.held == nil && e.refused != nil:
		s.Reason, s.Error, s.Since = e.refused.Reason, e.refused.Error, e.refused.Since
	case e.held == nil && e.fileErr != nil:
		s.Reason, s.Error, s.Since = ReasonOf(e.fileErr), e.fileErr.Error(), e.since
	case e.held == nil:
		s.Reason, s.Error = ReasonWaiting, "no verified response yet"
	case !e.held.Until.After(w.now()):
		s.Reason, s.Error, s.Since = ReasonEnded, "the newest verified response has ended", e.held.Until
	case e.misfit != nil:
		s.Reason, s.Error, s.Since = ReasonOf(e.misfit), e.misfit.Error(), e.since
	case e.fileErr != nil:
		s.Reason, s.Error, s.Since = ReasonOf(e.fileErr), e.fileErr.Error(), e.since
	}
	if s.Reason == "" && e.unkept != nil {
		s.Reason, s.Error, s.Since = ReasonStore, "not kept in data_dir: "+e.unkept.Error(), e.unkeptSince
	}
	for _, t := range c.Targets {
		s.Targets = append(s.Targets, targetState(t, e.targets[t]))
	}
	return s
}

func targetState(t Target, d *delivery) TargetState {
	s := TargetState{Name: t.Name()}
	if d == nil {
		return s
	}
	s.SHA256, s.How, s.Detail, s.At = d.sha256, d.outcome.How, d.outcome.Detail, d.at
	if d.err != nil {
		s.Reason, s.Error, s.Since, s.Failures = targetReason(d.err), d.err.Error(), d.since, d.failures
	} else if d.step.err != nil {
		s.Reason, s.Error, s.Since, s.Failures = targetReason(d.step.err), d.step.err.Error(), d.step.since, d.step.count
	}
	return s
}

// news tells Config.Changed if whoever watches e would now see something else,
// and Config.Refreshed if that is a newer response only.
func (w *Writer) news(e *entry) {
	w.mu.Lock()
	s := w.state(e)
	seen := []string{s.Applied.Status, s.Reason, ""}
	if s.Refused != nil {
		seen[2] = s.Refused.Reason
	}
	for _, t := range s.Targets {
		seen = append(seen, t.Reason)
	}
	same := slices.Equal(seen, e.seen)
	refreshed := same && s.Applied.SHA256 != e.shown
	e.seen, e.shown = seen, s.Applied.SHA256
	w.mu.Unlock()
	if w.config.Progress != nil {
		w.config.Progress(s)
	}
	switch {
	case !same && w.config.Changed != nil:
		w.config.Changed()
	case refreshed && w.config.Refreshed != nil:
		w.config.Refreshed()
	}
}

// Failing says the first thing that is wrong with the certificate or one of
// its targets, as a reason and its text; "" if nothing is.
func (s State) Failing() (reason, text string) {
	if s.Reason != "" {
		return s.Reason, s.Error
	}
	for _, t := range s.Targets {
		if t.Reason != "" {
			return t.Reason, t.Name + ": " + t.Error
		}
	}
	return "", ""
}

package writer

import (
	"time"

	"github.com/hashicorp/go-hclog"
)

// loudFailures is how many troubles of one kind and reason are warnings by name.
const loudFailures = 3

// calm is how long nothing of a kind must have happened before it is news again.
const calm = time.Hour

// kind is what can be wrong with an entry besides its targets.
type kind int

const (
	misfits  kind = iota // the response can't be stapled
	unfiled              // its file can't be written
	unkept               // data_dir does not have it
	refusals             // what came for it was refused
	kinds
	// These are counted by target.
	drifts // somebody else replaced what it served
	untold // it could not be told
)

// complaint is what the log was told of one kind of trouble with one reason: a
// disk that is full or a responder that is down is so for every certificate. It is
// guarded by the Writer's mu.
type complaint struct {
	// since is the first of it, last what happened last.
	since, last time.Time
	// troubled is how many entries are in it, most how many were at a time.
	troubled, most int
	// lines are the warnings so far, the last at loud; said tells whether there were
	// some since all was well.
	lines int
	loud  time.Time
	said  bool
}

type complaintKey struct {
	kind   kind
	reason string
}

// complain counts a trouble in its place, which is an entry's or a delivery's, and
// is the level at which the log has it, and what is said of those that follow. The
// caller holds mu.
func (w *Writer) complain(place **complaint, k kind, reason string) (level hclog.Level, more string) {
	now := w.now()
	key := complaintKey{k, reason}
	c := w.complaints[key]
	if c == nil || c.troubled == 0 && now.Sub(c.last).Abs() > calm {
		c = &complaint{since: now}
		w.complaints[key] = c
	}
	c.last = now
	if *place != c {
		w.leave(place)
		*place = c
		c.troubled++
		c.most = max(c.most, c.troubled)
	}
	if c.lines >= loudFailures {
		if now.Sub(c.loud).Abs() <= calm {
			return hclog.Debug, ""
		}
		c.lines-- // a certificate that joins the others is news, one an hour
	}
	c.said, c.loud = true, now
	if c.lines++; c.lines == loudFailures {
		more = "; more of this kind are logged at debug level"
	}
	return hclog.Warn, more
}

// leave takes a place out of its trouble, and is that if it was the last one in it.
// The caller holds mu.
func (w *Writer) leave(place **complaint) (over *complaint) {
	c := *place
	if c == nil {
		return nil
	}
	*place = nil
	c.last = w.now()
	if c.troubled--; c.troubled > 0 || !c.said {
		return nil
	}
	ended := *c
	c.said, c.most = false, 0
	return &ended
}

// forget takes an entry that is no more out of all troubles. The caller holds mu.
func (w *Writer) forget(e *entry) {
	for k := range e.complaints {
		w.leave(&e.complaints[k])
	}
	for _, d := range e.targets {
		w.leave(&d.complaint)
	}
}

// fine is the level at which the log has what went well: news at info, unless
// there are very many of them, the rest at debug; and what is said of those that
// follow. The caller holds mu.
func (w *Writer) fine(news bool) (level hclog.Level, more string) {
	if !news {
		return hclog.Debug, ""
	}
	return w.well.Level(w.now(), hclog.Info)
}

// relieved logs that an entry is out of a trouble: for those who were told, when
// the last one is. The caller does not hold mu.
func (w *Writer) relieved(e *entry, place **complaint, message, reason string, more ...any) {
	w.mu.Lock()
	over := w.leave(place)
	w.mu.Unlock()
	level := hclog.Debug
	args := []any{"job", e.cert.Job, "name", e.cert.Name, "id", e.cert.ID, "was", reason}
	if over != nil {
		level = hclog.Info
		args = append(args, "after", w.now().Sub(over.since).Round(time.Second))
		if over.most > 1 {
			args = []any{"certificates", over.most, "was", reason, "after", w.now().Sub(over.since).Round(time.Second)}
		}
	}
	w.log.Log(level, message, append(args, more...)...)
}

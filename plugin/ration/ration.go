// Package ration bounds how many lines of one kind a log has by name: what is
// true of one certificate, good or bad, is often so for each of thousands at the
// same moment, and the status has them all.
package ration

import (
	"time"

	"github.com/hashicorp/go-hclog"
)

const (
	// Most is how many lines are written at a time, and again when After has gone
	// by since the first of them.
	Most  = 20
	After = 10 * time.Minute
)

// Lines counts those of one kind. The zero value is ready; it is not safe for
// concurrent use.
type Lines struct {
	since time.Time
	n     int
}

// Level is that of the next line, usual or debug, and more what the line says of
// those that follow. A clock that was set back counts as one that went on.
func (l *Lines) Level(now time.Time, usual hclog.Level) (level hclog.Level, more string) {
	if now.Sub(l.since).Abs() > After {
		l.since, l.n = now, 0
	}
	switch l.n++; {
	case l.n > Most:
		return hclog.Debug, ""
	case l.n == Most:
		return usual, "; more of this is logged at debug level"
	}
	return usual, ""
}

package plugin

import (
	"time"

	"github.com/hashicorp/go-hclog"
)

// rationLines is how many lines of one kind are written by name at a time, and
// again after rationAfter: what is wrong with a folder is so for each of the
// thousands of certificates in it, and status has them all.
const (
	rationLines = 20
	rationAfter = 10 * time.Minute
)

// ration is what is left of them. It belongs to who holds its owner's lock.
type ration struct {
	since time.Time
	lines int
}

// level is that of the next line, and what it says of those that follow.
func (r *ration) level(usual hclog.Level) (level hclog.Level, more string) {
	if now := time.Now(); now.Sub(r.since) > rationAfter {
		r.since, r.lines = now, 0
	}
	switch r.lines++; {
	case r.lines > rationLines:
		return hclog.Debug, ""
	case r.lines == rationLines:
		return usual, "; more of this is logged at debug level"
	}
	return usual, ""
}

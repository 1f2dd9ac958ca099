package plugin

import (
	"crypto/sha256"
	"encoding/binary"
	"time"
)

const (
	// usedUp is the part of a response's life after which a node no longer
	// relies on a cluster that gives no sign of life.
	usedUp = 0.75
	// spread is the part of the time left from then on over which nodes fetch
	// for themselves: what remains is for those whose first try fails.
	spread = 0.6
)

// outage is a time in which nobody fetches for this node, and how long to bear
// it.
type outage struct {
	// since is when it was noticed.
	since time.Time
	// silent says that Consul does not answer; otherwise nobody leads.
	silent bool
	// takeover is how long another leader may take to follow one that died.
	takeover time.Duration
	// splay is by what nodes that start together are kept apart.
	splay time.Duration
	// pace is the longest time between two fetches of a certificate. Where a
	// periodic task fetches, usually nobody leads, and a new certificate waits
	// for the next of its passes.
	pace time.Duration
}

// life is when the response that a node holds began and ends; the zero life is
// that of none.
type life struct{ this, until time.Time }

// usedUp is when so much of the life has passed that the cluster should have had
// another response long ago; zero for no response.
func (l life) usedUp() time.Time {
	return l.this.Add(time.Duration(usedUp * float64(l.until.Sub(l.this))))
}

// begins is when a node fetches a response for itself, if the outage lasts.
// chance in [0, 1) is the node's place among the others for this response: with
// chances that are spread evenly, so are the nodes' requests, over the greater
// part of the time that is left.
//
// The outage must have lasted for a splay; where only nobody leads, for as long
// as a takeover may last. Where there is no response, or it has ended, nodes
// begin after two splays on average while Consul is silent, and where nobody
// leads not before a periodic task should have come.
func (o outage) begins(l life, chance float64) time.Time {
	if !l.until.After(o.since) {
		from := o.since.Add(o.splay)
		if !o.silent {
			from = o.since.Add(max(o.takeover, o.pace))
		}
		return from.Add(time.Duration(chance * 2 * float64(o.splay)))
	}
	wait := o.splay
	if !o.silent {
		wait = o.takeover
	}
	// A response that ends soon leaves little time to wait.
	from := o.since.Add(min(wait, l.until.Sub(o.since)/4))
	if mark := l.usedUp(); mark.After(from) {
		from = mark
	}
	return from.Add(time.Duration(chance * spread * float64(l.until.Sub(from))))
}

// chance is a node's place among others for one response: evenly spread over
// [0, 1) for all instances and responses, and the same after a restart. sum is
// the checksum of the response that is to be replaced, empty for none.
func chance(instance, id, sum string) float64 {
	h := sha256.Sum256([]byte(instance + " " + id + " " + sum))
	return float64(binary.BigEndian.Uint64(h[:8])>>11) / (1 << 53)
}

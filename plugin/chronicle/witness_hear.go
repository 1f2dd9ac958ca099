package chronicle

import (
	"time"

	"github.com/consul-ocsp/consul-ocsp/plugin/record"
)

// witnessed is what was last seen of a node.
type witnessed struct {
	seen, told time.Time
	pass       int
}

// hear takes what a node says.
func (w *witness) hear(n record.Node, byPrefix map[string][]*watched, notes map[keptKey][]record.Stapled) {
	now, before := w.now(), w.nodes[n.Node]
	at := n.Seen
	if at.After(now.Add(witnessSkew)) {
		at = now // its clock is off; this is when we saw it
	}
	note := func(key keptKey, s record.Stapled) {
		s.Node, s.Datacenter = n.Node, w.datacenter
		notes[key] = append(notes[key], s)
	}
	told := map[keptKey]bool{}
	next := witnessed{seen: at, told: before.told, pass: w.pass}
	for _, l := range n.Lately {
		if l.At.After(now.Add(witnessSkew)) || l.At.Before(l.ThisUpdate.Add(-witnessSkew)) {
			continue // its clock is off
		}
		for _, key := range w.keysOf(l, byPrefix, l.At.After(before.told) && before.pass > 0) {
			told[key] = true
			note(key, record.Stapled{At: l.At, How: record.HowTold})
		}
		if l.At.After(next.told) {
			next.told = l.At
		}
	}
	gone := now.Sub(n.Seen) > witnessGone
	troubled := troubledOf(n)
	for _, a := range n.Applied {
		if len(a.ID) < record.IDPrefix {
			continue
		}
		for _, d := range byPrefix[a.ID[:record.IDPrefix]] {
			switch this := a.ThisUpdate.Unix(); {
			case this < d.key.thisUpdate:
				d.lacked = d.lacked || !gone
			case this == d.key.thisUpdate && !told[d.key] && troubled(a.ID):
				// It was let through, and not every file and server has it.
				d.had, d.lacked = true, d.lacked || !gone
			case this == d.key.thisUpdate && !told[d.key]:
				s := record.Stapled{At: at, How: record.HowSeen}
				if d.last > 0 && d.last == w.pass-1 && before.pass == d.last {
					s.After = before.seen
				}
				note(d.key, s)
				d.had = true
			default: // a newer one, or it was told
				d.had = true
			}
		}
	}
	w.nodes[n.Node] = next
}

// troubledOf tells for an id whether something is wrong with the certificate on
// the node. Where more is wrong than the record lists, and with servers, it may
// be any.
func troubledOf(n record.Node) func(id string) bool {
	listed, server := map[string]bool{}, false
	for _, t := range n.Trouble {
		if len(t.ID) >= record.IDPrefix {
			listed[t.ID[:record.IDPrefix]] = true
			server = server || t.Target != ""
		}
	}
	every := server && n.Troubles > len(n.Trouble)
	return func(id string) bool { return every || listed[id[:record.IDPrefix]] }
}

// keysOf are the responses that a node may mean: those that are looked for, or
// where it is news, one that is kept and was looked for before.
func (w *witness) keysOf(l record.Lately, byPrefix map[string][]*watched, news bool) []keptKey {
	var keys []keptKey
	for _, d := range byPrefix[l.ID] {
		if d.key.thisUpdate == l.ThisUpdate.Unix() {
			keys = append(keys, d.key)
		}
	}
	if len(keys) > 0 || !news {
		return keys
	}
	for _, id := range w.keptBy(l.ID) {
		if this, sum, ok := w.chronicle.config.Store.NewestKept(id); ok && this.Unix() == l.ThisUpdate.Unix() {
			keys = append(keys, keptKey{id, sum, this.Unix()})
		}
	}
	return keys
}

// keptBy are the certificates that are kept whose ids begin so. All of them are
// listed once in a look, whatever nodes claim.
func (w *witness) keptBy(prefix string) []string {
	if w.kept == nil {
		w.kept = map[string][]string{}
		for _, id := range w.ids() {
			w.kept[id[:record.IDPrefix]] = append(w.kept[id[:record.IDPrefix]], id)
		}
	}
	return w.kept[prefix]
}

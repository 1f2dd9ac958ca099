package plugin

import (
	"fmt"
	"iter"
	"maps"
	"slices"
	"time"

	"github.com/consul-ocsp/consul-ocsp/consul"
	"github.com/consul-ocsp/consul-ocsp/plugin/fetcher"
	"github.com/consul-ocsp/consul-ocsp/plugin/record"
	"github.com/consul-ocsp/consul-ocsp/plugin/settings"
)

// reasonAnnounceMax says that nodes announce more than announce.max.
const reasonAnnounceMax = "announce-max"

// hearing is what the nodes of a datacenter announced, as far as this agent
// believes it. It is a consul.Listener: what it takes is judged at once, so that
// of a certificate nothing is kept but what is needed of it. From its first
// change on it stands in the holding, in place of that of the term before, and
// its maps are under the holding's lock.
type hearing struct {
	holding    *holding
	settings   *settings.Settings // by which it judges
	datacenter string
	changed    func() // told after each change
	judges     fetcher.Announcements

	believed map[string]*fetcher.Announcement
	refused  map[string]refusal
	said     consul.Announcements // what else came of it
}

// refusal is why an announced certificate is not believed.
type refusal struct{ job, name, why string }

// hear makes what listens to a datacenter's announcements; "" is the agent's own.
func (h *holding) hear(p *settings.Settings, datacenter string, changed func()) *hearing {
	return &hearing{
		holding: h, settings: p, datacenter: datacenter, changed: changed,
		believed: map[string]*fetcher.Announcement{}, refused: map[string]refusal{},
	}
}

// Take judges a certificate. One that is refused is logged once, and left out.
func (l *hearing) Take(id string, c record.Certificate) {
	h := l.holding
	a, err := l.judges.Judge(id, c, l.settings.JobFetch(c.Job).TrustedIssuers, time.Now())
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(l.believed, id)
	delete(l.refused, id)
	if err == nil {
		l.believed[a.ID()] = a
		return
	}
	l.refused[id] = refusal{job: c.Job, name: c.Name, why: err.Error()}
	if before := h.heard[l.datacenter]; before == nil || before.refused[id] != l.refused[id] {
		h.logger.Warn("announced certificate is refused", "id", id, "job", c.Job, "reason", reasonCertificate, "error", err)
	}
}

// Changed leaves out what is gone.
func (l *hearing) Changed(a consul.Announcements) {
	h := l.holding
	h.mu.Lock()
	for _, id := range a.Gone {
		delete(l.believed, id)
		delete(l.refused, id)
	}
	l.said = a
	l.said.Gone = nil
	if h.heard == nil {
		h.heard = map[string]*hearing{}
	}
	h.heard[l.datacenter] = l
	h.mu.Unlock()
	l.changed()
}

// forget lets go of what nodes of a datacenter announced, and reports whether
// there was anything: somebody else listens to them from now on, and this agent
// would not hear that they gave one up.
func (h *holding) forget(datacenter string) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	_, was := h.heard[datacenter]
	delete(h.heard, datacenter)
	return was
}

// forgetAll lets go of what nodes of any datacenter announced: this agent fetches
// for them no more.
func (h *holding) forgetAll() {
	h.mu.Lock()
	defer h.mu.Unlock()
	clear(h.heard)
}

// announced are the certificates that nodes of any datacenter announced and that
// are believed, once each. The caller holds the lock.
func (h *holding) announced() iter.Seq[*fetcher.Announcement] {
	return func(yield func(*fetcher.Announcement) bool) {
		var before []*hearing
		for _, heard := range h.heard {
			for id, a := range heard.believed {
				if !slices.ContainsFunc(before, func(b *hearing) bool { return b.believed[id] != nil }) && !yield(a) {
					return
				}
			}
			before = append(before, heard)
		}
	}
}

// mostAnnounced is how many there are of them at most. The caller holds the lock.
func (h *holding) mostAnnounced() int {
	n := 0
	for _, heard := range h.heard {
		n += len(heard.believed)
	}
	return n
}

// announcementTroubles are what is wrong with what other nodes announce, while
// this agent leads: the first, by id, and how many there are.
func (h *holding) announcementTroubles() (first []record.NodeTrouble, count int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	now := time.Now().UTC()
	why := map[string]refusal{}
	ignored := 0
	for _, heard := range h.heard {
		maps.Copy(why, heard.refused)
		ignored += heard.said.Ignored
	}
	for _, heard := range h.heard {
		for id, text := range heard.said.Refused {
			why[id] = refusal{why: text}
		}
	}
	if ignored > 0 {
		count++
		first = append(first, record.NodeTrouble{Reason: reasonAnnounceMax, Since: now,
			Error: fmt.Sprintf("%d announced certificates are not followed: announce.max is %d", ignored, h.settings.Config.Announce.Max)})
	}
	count += len(why)
	for _, id := range slices.Sorted(maps.Keys(why)) {
		if len(first) == record.MaxNodeTrouble {
			break
		}
		r := why[id]
		first = append(first, record.NodeTrouble{ID: id, Job: r.job, Name: r.name, Reason: reasonCertificate, Error: r.why, Since: now})
	}
	return first, count
}

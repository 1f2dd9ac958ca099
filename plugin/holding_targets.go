package plugin

import (
	"iter"
	"time"

	"github.com/consul-ocsp/consul-ocsp/plugin/fetcher"
	"github.com/consul-ocsp/consul-ocsp/plugin/inventory"
)

// targets are what a fetcher keeps fresh: one for each certificate, however
// many files and nodes hold it. The agent's own configuration counts before
// what was announced.
func (h *holding) targets() iter.Seq[fetcher.Target] {
	h.mu.Lock()
	mapped, seen := h.settings, map[string]bool{}
	own := h.configured(seen)
	announced := make([]*fetcher.Announcement, 0, h.mostAnnounced())
	for a := range h.announced() {
		if !seen[a.ID()] {
			announced = append(announced, a)
		}
	}
	h.mu.Unlock()
	return func(yield func(fetcher.Target) bool) {
		for _, t := range own {
			if !yield(t) {
				return
			}
		}
		for _, a := range announced {
			if !yield(a.Target(mapped.JobFetch(a.Job()).Settings)) {
				return
			}
		}
	}
}

// target is the certificate of id, if it is among the targets.
func (h *holding) target(id string) (fetcher.Target, bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, c := range h.own {
		if c.ID == id {
			return newTarget(c, h.settings.Fetch(c.Job, c.Name).Settings), true
		}
	}
	for _, heard := range h.heard {
		if a := heard.believed[id]; a != nil {
			return a.Target(h.settings.JobFetch(a.Job()).Settings), true
		}
	}
	return fetcher.Target{}, false
}

// ownTargets are the agent's own certificates, once each, as a fetcher takes
// them.
func (h *holding) ownTargets() []fetcher.Target {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.configured(map[string]bool{})
}

// configured are the agent's own certificates whose ids are not in seen yet.
// The caller holds the lock.
func (h *holding) configured(seen map[string]bool) []fetcher.Target {
	var targets []fetcher.Target
	for _, c := range h.own {
		if !seen[c.ID] {
			seen[c.ID] = true
			targets = append(targets, newTarget(c, h.settings.Fetch(c.Job, c.Name).Settings))
		}
	}
	return targets
}

// newTarget is a certificate of the agent's own for the fetcher.
func newTarget(c inventory.Certificate, settings fetcher.Settings) fetcher.Target {
	return fetcher.Target{
		ID: c.ID, Leaf: c.Leaf, Issuer: c.Issuer, Job: c.Job, Name: c.Name,
		Names: c.Names, MustStaple: c.MustStaple, Settings: settings,
	}
}

// notAsked is why nobody is asked about some of the agent's own certificates,
// by id: nothing is missing where they have no response. A certificate that
// must be stapled is never among them.
func (h *holding) notAsked(now time.Time) map[string]string {
	h.mu.Lock()
	defer h.mu.Unlock()
	reasons := map[string]string{}
	for _, c := range h.own {
		if why := notAsked(h.settings, c, now); why != "" {
			reasons[c.ID] = why
		}
	}
	return reasons
}

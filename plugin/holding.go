package plugin

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/consul-ocsp/consul-ocsp/plugin/inventory"
	"github.com/consul-ocsp/consul-ocsp/plugin/issuer"
	"github.com/consul-ocsp/consul-ocsp/plugin/ration"
	"github.com/consul-ocsp/consul-ocsp/plugin/record"
	"github.com/consul-ocsp/consul-ocsp/plugin/settings"
	"github.com/consul-ocsp/consul-ocsp/plugin/writer"
)

// issuerRetry is how long an issuer that could not be downloaded is left alone.
const issuerRetry = time.Minute

// reasonCertificate says that a certificate can't be used.
const reasonCertificate = "certificate"

// holding is what this agent knows of certificates: those in its own files,
// and, while it leads, those that other nodes announced.
type holding struct {
	issuers issuer.Finder
	logger  hclog.Logger

	mu                       sync.Mutex
	settings                 *settings.Settings
	own                      []inventory.Certificate
	lacking                  []inventory.Certificate
	problems, issuerProblems []record.NodeTrouble
	// complained holds what was logged by job, name and reason, so that a
	// problem makes one line.
	complained map[[3]string]record.NodeTrouble
	ration     ration.Lines
	// heard is what nodes announced, by datacenter; "" is the agent's own.
	heard    map[string]*hearing
	excluded []string // allow-lists that were complained of
	// histories is how many responses are kept of the agent's own certificates,
	// by id; those of which none are kept are not in it.
	histories map[string]int
}

// take puts in what an inventory found. A certificate whose issuer is in none
// of its files waits in lacking, and is no part of the rest until [complete]
// found it.
func (h *holding) take(p *settings.Settings, found []inventory.Certificate, problems []inventory.Problem) {
	whole := make([]inventory.Certificate, 0, len(found))
	var lacking []inventory.Certificate
	for _, c := range found {
		if c.Issuer == nil {
			c.Issuer = h.issuers.Kept(c.ID, c.Leaf)
		}
		if c.Issuer == nil {
			lacking = append(lacking, c)
			continue
		}
		whole = append(whole, c)
	}
	troubles := h.complain(problems)
	h.mu.Lock()
	defer h.mu.Unlock()
	h.settings, h.own, h.lacking, h.problems = p, whole, lacking, troubles
	h.issuerProblems = nil
	h.histories = nil
	h.countHistories(whole)
	h.warnOfExcluded(found)
}

// complete asks for each issuer that is lacking, and calls changed when it has
// found any. It reports whether none is lacking any more.
func (h *holding) complete(ctx context.Context, changed func()) bool {
	h.mu.Lock()
	p, lacking := h.settings, h.lacking
	h.mu.Unlock()
	var still, whole []inventory.Certificate
	var troubles []record.NodeTrouble
	for _, c := range lacking {
		issuer, err := h.issuers.Find(ctx, c.Leaf, p.Fetch(c.Job, c.Name).ForIssuers())
		if err != nil {
			still = append(still, c)
			troubles = append(troubles, h.trouble(c.Job, c.Name, writer.ReasonIssuerUnknown, err))
			continue
		}
		c.Issuer = issuer
		whole = append(whole, c)
	}
	h.mu.Lock()
	if h.settings != p || !sameCertificates(h.lacking, lacking) {
		h.mu.Unlock()
		return false // the files changed meanwhile: what was kept is found at once
	}
	h.own = append(h.own[:len(h.own):len(h.own)], whole...)
	h.lacking, h.issuerProblems = still, troubles
	h.countHistories(whole)
	h.mu.Unlock()
	if len(lacking) > 0 {
		changed()
	}
	return len(still) == 0
}

func sameCertificates(a, b []inventory.Certificate) bool {
	return slices.EqualFunc(a, b, func(a, b inventory.Certificate) bool { return a.ID == b.ID && a.Path == b.Path })
}

// complain logs each problem once, and is the list of them.
func (h *holding) complain(problems []inventory.Problem) []record.NodeTrouble {
	var troubles []record.NodeTrouble
	for _, p := range problems {
		troubles = append(troubles, h.trouble(p.Job, p.Name, reasonCertificate, p.InFile()))
	}
	return troubles
}

func (h *holding) trouble(job, name, reason string, err error) record.NodeTrouble {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.complained == nil {
		h.complained = map[[3]string]record.NodeTrouble{}
	}
	key := [3]string{job, name, reason}
	if name == "" {
		key[1] = err.Error() // several files of a job may be in trouble
	}
	t, ok := h.complained[key]
	if !ok || t.Error != err.Error() {
		t = record.NodeTrouble{Job: job, Name: name, Reason: reason, Error: err.Error(), Since: time.Now().UTC()}
		h.complained[key] = t
		level, more := h.ration.Level(time.Now(), hclog.Warn)
		h.logger.Log(level, "certificate can't be stapled"+more, "job", job, "certificate", name, "reason", reason, "error", err)
	}
	return t
}

// names are the ids behind configured names, as "job/name": those of the
// agent's own certificates, and where the configuration says so, of announced
// ones, the newest of several.
func (h *holding) names() map[string]string {
	h.mu.Lock()
	defer h.mu.Unlock()
	names := map[string]string{}
	if h.settings.Config.Announce.Names {
		newest := map[string]time.Time{}
		for a := range h.announced() {
			key := a.Job() + "/" + a.Name()
			if record.ValidName(a.Job()) && record.ValidName(a.Name()) && a.NotBefore().After(newest[key]) {
				names[key], newest[key] = a.ID(), a.NotBefore()
			}
		}
	}
	for _, c := range h.own {
		names[c.Job+"/"+c.Name] = c.ID
	}
	return names
}

// paths are the agent's own files with this certificate.
func (h *holding) paths(id string) []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	var paths []string
	for _, c := range h.own {
		if c.ID == id {
			paths = append(paths, c.Path)
		}
	}
	return paths
}

// files are the agent's own certificates, also those whose issuer is lacking.
func (h *holding) files() []inventory.Certificate {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Concat(h.own, h.lacking)
}

// announcements are what the agent announces.
func (h *holding) announcements() map[string]record.Certificate {
	h.mu.Lock()
	defer h.mu.Unlock()
	records := make(map[string]record.Certificate, len(h.own))
	for _, c := range h.own {
		if _, ok := records[c.ID]; !ok {
			records[c.ID] = record.Certificate{
				Leaf: c.Leaf.Raw, Issuer: c.Issuer.Raw, Names: c.Names, Job: c.Job, Name: c.Name,
			}
		}
	}
	return records
}

// troubles are what is wrong with the agent's own certificates.
func (h *holding) troubles() []record.NodeTrouble {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Concat(h.problems, h.issuerProblems)
}

// has reports whether the agent's own files hold the certificate, or nodes of
// any datacenter announce it.
func (h *holding) has(id string) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, heard := range h.heard {
		if heard.believed[id] != nil {
			return true
		}
	}
	return slices.ContainsFunc(h.own, func(c inventory.Certificate) bool { return c.ID == id })
}

package plugin

import (
	"context"
	"fmt"
	"time"

	"github.com/consul-ocsp/consul-ocsp/consul"
	"github.com/consul-ocsp/consul-ocsp/plugin/record"
	"github.com/consul-ocsp/consul-ocsp/plugin/staple"
	"github.com/consul-ocsp/consul-ocsp/plugin/status"
	"github.com/consul-ocsp/consul-ocsp/plugin/writer"
)

// When a node's service is no longer passing. The parts of a response's life
// are those of `status -check`.
const (
	lifeWarning  = 0.25
	lifeCritical = 0.10
	// A sync is at most about a minute ago while all is well.
	syncWarning  = 5 * time.Minute
	syncCritical = time.Hour
)

// serve keeps the service registered that the configuration asks for, under an
// id of this node's, until ctx ends.
func (p *parts) serve(ctx context.Context, node string) error {
	return p.consul.Serve(ctx, "consul-ocsp-"+node, func() *consul.Service {
		block := p.settings.Load().Config.Service
		if block == nil {
			return nil
		}
		now := time.Now()
		status, output := health(p.delivered(now), p.troubles(), p.lastSync(now), now)
		return &consul.Service{Name: block.Name, Tags: block.Tags, Version: p.options.Version, Status: status, Output: output}
	}, p.check)
}

// delivered are the certificates that this node keeps stapled: none without
// that role, and none for which nobody is to be asked.
func (p *parts) delivered(now time.Time) []writer.State {
	if !p.settings.Load().Config.HasRole("deliver") {
		return nil
	}
	notAsked := p.holding.notAsked(now)
	var states []writer.State
	for _, s := range p.writer.States() {
		if notAsked[s.ID] == "" || s.Reason != writer.ReasonWaiting {
			s.Planned = saysRevoked(s) && p.planned(s.ID, s.Job, s.Name)
			states = append(states, s)
		}
	}
	return states
}

// health is the state of a node's service, and why: the worst of its staples,
// of the problems that keep a certificate from having one, and of the time
// since the last sync with Consul.
//
// Critical: a staple has ended, is about to (a tenth of its life is left) or
// says revoked; a certificate that must be stapled has none after two minutes; there was no sync
// for an hour. Warning: a quarter is left; a staple is missing, or did not get
// to its file or server; a certificate can't be read; the node fetches for
// itself; no sync for five minutes.
func health(states []writer.State, troubles []record.NodeTrouble, sync, now time.Time) (status, output string) {
	w := judge(states, troubles, sync, now)
	switch {
	case w.count == 0 && len(states) == 0:
		return w.status, "in sync with consul, no certificates of its own"
	case w.count == 0:
		return w.status, fmt.Sprintf("all certificates are stapled: %d", len(states))
	case w.count > 1:
		w.output += fmt.Sprintf("; %d findings in all", w.count)
	}
	return w.status, w.output
}

// judge is what health finds.
func judge(states []writer.State, troubles []record.NodeTrouble, sync, now time.Time) worst {
	w := worst{status: consul.Passing}
	for _, s := range states {
		w.staple(s, now)
	}
	for _, t := range troubles {
		what := t.Job + "/" + t.Name
		if t.Job == "" {
			what = "agent"
		}
		w.add(consul.Warning, "%s: %s: %s", what, t.Reason, t.Error)
	}
	switch age := now.Sub(sync); {
	case age > syncCritical:
		w.add(consul.Critical, "no sync with consul since %s", sync.UTC().Format(time.RFC3339))
	case age > syncWarning:
		w.add(consul.Warning, "no sync with consul since %s", sync.UTC().Format(time.RFC3339))
	}
	return w
}

// worst is the first of the worst findings. Its text does not change with time
// alone: each change of it is one for Consul's servers too.
type worst struct {
	status, output string
	count          int
	// critical and warnings are the first findings of each kind.
	critical, warnings []string
}

// maxFindings is how many findings of a kind are listed.
const maxFindings = 30

func (w *worst) add(status, format string, args ...any) {
	w.count++
	list := &w.warnings
	if status == consul.Critical {
		list = &w.critical
	}
	if len(*list) < maxFindings {
		*list = append(*list, fmt.Sprintf(format, args...))
	}
	if w.count == 1 || status == consul.Critical && w.status != consul.Critical {
		w.status, w.output = status, fmt.Sprintf(format, args...)
	}
}

func (w *worst) staple(s writer.State, now time.Time) {
	name := s.Job + "/" + s.Name
	bare := s.Applied.ThisUpdate.IsZero() || !s.Applied.Until.After(now)
	end := s.Applied.Until.UTC().Format(time.RFC3339)
	switch reason, text := s.Failing(); {
	case !s.Planned && saysRevoked(s):
		w.add(consul.Critical, "%s: the certificate is revoked", name)
	case bare && !s.Applied.ThisUpdate.IsZero():
		w.add(consul.Critical, "%s: its staple ended at %s", name, end)
	case bare && s.MustStaple && !(reason == writer.ReasonWaiting && now.Sub(s.Since) < status.Patience):
		w.add(consul.Critical, "%s: must be stapled and is not: %s: %s", name, reason, text)
	case bare:
		w.add(consul.Warning, "%s: no staple: %s: %s", name, reason, text)
	case lifeLeft(s.Applied, now) < lifeCritical:
		w.add(consul.Critical, "%s: its staple ends at %s", name, end)
	case reason != "":
		w.add(consul.Warning, "%s: %s: %s", name, reason, text)
	case lifeLeft(s.Applied, now) < lifeWarning:
		w.add(consul.Warning, "%s: its staple ends at %s", name, end)
	}
}

// saysRevoked reports whether the newest response says so, whatever is delivered.
func saysRevoked(s writer.State) bool {
	return s.Applied.Status == string(staple.Revoked) || s.Held.Status == string(staple.Revoked)
}

// lifeLeft is the part of a response's life that is left, from 0 to 1.
func lifeLeft(i writer.Info, now time.Time) float64 {
	life := i.Until.Sub(i.ThisUpdate)
	if life <= 0 {
		return 0
	}
	return min(max(float64(i.Until.Sub(now))/float64(life), 0), 1)
}

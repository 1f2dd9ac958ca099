package status

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/consul-ocsp/consul-ocsp/plugin/staple"
)

// The results of a check: the exit codes of monitoring plugins.
const (
	CheckOK       = 0
	CheckWarning  = 1
	CheckCritical = 2
	CheckUnknown  = 3
)

// maxFindings bounds the lines of a check: what reads them cuts long output.
const maxFindings = 30

// ParsePercent reads a share such as "25%", from 0% to 100%, as 0 to 1.
func ParsePercent(s string) (float64, error) {
	digits, found := strings.CutSuffix(s, "%")
	f, err := strconv.ParseFloat(digits, 64)
	if !found || err != nil || math.IsNaN(f) || f < 0 || f > 100 {
		return 0, fmt.Errorf("%.40q is not a percentage from 0%% to 100%%, such as 25%%", s)
	}
	return f / 100, nil
}

// Check judges the report for monitoring. Warn and crit are parts of a
// response's life, 0 to 1. Critical: a response that has ended, is missing or
// says revoked, one with less than crit of its life left, and a node without
// any for a certificate that must be stapled. Warning: less than warn is left; a
// response is missing and need not be there yet; a node is stale, in trouble or
// has another clock; a canary fails; a record is unreadable.
// Unknown: there are neither staples nor nodes.
//
// The first line sums up, then come the findings, a line each: the critical ones
// first, of these those of certificates that must be stapled. No line holds a "|": what follows one would be read as numbers.
func (r *Report) Check(warn, crit float64) (code int, lines []string) {
	f := findings{}
	stapleCrit, stapleWarn := r.checkStaples(&f, warn, crit)
	nodeCrit, nodeWarn := r.checkNodes(&f)
	canaryWarn := r.checkCanaries(&f)
	for _, u := range r.Unreadable {
		f.warning("record %s: %s", u.Key, u.Error)
	}
	code = f.code()
	if len(r.Staples) == 0 && len(r.Nodes) == 0 {
		code = CheckUnknown
	}
	s, n := len(r.Staples), len(r.Nodes)
	var summary string
	switch bad := stapleCrit + stapleWarn + nodeCrit + nodeWarn + canaryWarn; {
	case code == CheckUnknown:
		summary = "no staples and no nodes are known"
	case code == CheckOK && s == 0:
		summary = count(n, "node") + ", no staples yet"
	case code == CheckOK:
		summary = count(s, "staple") + ", " + count(n, "node") + "; " + r.firstEnd()
	case bad == 0:
		summary = count(len(r.Unreadable), "unreadable record")
	default:
		summary = join(
			part(stapleCrit+stapleWarn, s, "staple", stapleCrit),
			part(nodeCrit+nodeWarn, n, "node", nodeCrit),
			canaryPart(canaryWarn, len(r.Canaries)),
		) + " need"
		if bad == 1 {
			summary += "s"
		}
		summary += " attention"
	}
	name := [...]string{"OK", "WARNING", "CRITICAL", "UNKNOWN"}[code]
	lines = append([]string{"CONSUL-OCSP " + name + " - " + summary}, f.lines()...)
	for i := range lines {
		lines[i] = strings.ReplaceAll(lines[i], "|", "/")
	}
	return code, lines
}

func (r *Report) checkStaples(f *findings, warn, crit float64) (critical, warnings int) {
	for _, s := range r.Staples {
		title, critically := s.title()+s.mustNote(), f.critical
		if s.MustStaple {
			critically = f.first
		}
		switch {
		case s.State == Planned: // where that fails, the canary does
		case s.State == Revoked:
			critically("%s: revoked%s%s", title, at(s.RevokedAt), s.revocationNote())
			critical++
		case s.State == Ended:
			critically("%s: ended%s%s", title, at(s.Until), s.because())
			critical++
		case s.State == Missing && r.young(s):
			f.warning("%s: missing%s", title, s.because())
			warnings++
		case s.State == Missing:
			critically("%s: missing%s", title, s.because())
			critical++
		case s.LifeLeft < crit:
			critically("%s: %s%s", title, s.lifeNote(), s.because())
			critical++
		case s.LifeLeft < warn:
			f.warning("%s: %s%s", title, s.lifeNote(), s.because())
			warnings++
		}
	}
	return critical, warnings
}

func (r *Report) checkNodes(f *findings) (critical, warnings int) {
	for _, n := range r.Nodes {
		bare := 0
		for _, t := range n.Troubles {
			if t.MustStaple && n.State != Stale && !(t.Reason == waiting && recent(t.Since, r.Now, Patience)) {
				bare++
				f.first("node %s: %s must be stapled and is not: %s", n.Node, t.label(), t.text())
			}
		}
		switch {
		case bare > 0:
			critical++
		case n.State != OK:
			f.warning("node %s: %s", n.Node, n.note(r.Now))
			warnings++
		}
	}
	return critical, warnings
}

// firstEnd says how long the one lives that ends first.
func (r *Report) firstEnd() string {
	first := r.Staples[0]
	for _, s := range r.Staples {
		if s.Until.Before(first.Until) {
			first = s
		}
	}
	return fmt.Sprintf("the first ends in %s (%s)", span(first.left()), first.label())
}

func (s Staple) title() string {
	label := s.label()
	if len(s.Names) > 0 && s.Names[0] != label {
		return fmt.Sprintf("%s (%s)", label, s.Names[0])
	}
	return label
}

func (s Staple) mustNote() string {
	if s.MustStaple {
		return " [must-staple]"
	}
	return ""
}

func (s Staple) lifeNote() string {
	return fmt.Sprintf("%s of its life left, ends in %s", percent(s.LifeLeft), span(s.left()))
}

func (s Staple) left() time.Duration { return time.Duration(s.SecondsLeft) * time.Second }

// because is why fetching fails, if it does.
func (s Staple) because() string {
	if s.Reason == "" {
		return ""
	}
	return "; " + s.trouble()
}

// findings are the lines of a check; must are the critical ones of what must
// be stapled, which no other crowds out.
type findings struct{ must, crit, warn []string }

func (f *findings) first(format string, args ...any) {
	f.must = append(f.must, "CRITICAL "+fmt.Sprintf(format, args...))
}

func (f *findings) critical(format string, args ...any) {
	f.crit = append(f.crit, "CRITICAL "+fmt.Sprintf(format, args...))
}

func (f *findings) warning(format string, args ...any) {
	f.warn = append(f.warn, "WARNING "+fmt.Sprintf(format, args...))
}

func (f *findings) code() int {
	switch {
	case len(f.must)+len(f.crit) > 0:
		return CheckCritical
	case len(f.warn) > 0:
		return CheckWarning
	}
	return CheckOK
}

func (f *findings) lines() []string {
	all := slices.Concat(f.must, f.crit, f.warn)
	if more := len(all) - maxFindings; more > 0 {
		all = append(all[:maxFindings], fmt.Sprintf("and %d more", more))
	}
	return all
}

// Patience is how long a new certificate may be without a response: it is
// announced within announce.splay, and asked for at once.
const Patience = 2 * time.Minute

// settling is how long a CA may take to know a certificate that it has issued
// (CA/B Baseline Requirements 4.9.9).
const settling = 15 * time.Minute

// young reports whether a missing response is nothing to wake anybody for yet.
// Where nothing fails it takes a leader to fetch it: between the passes of a
// periodic task that is usual, unless it must be stapled.
func (r *Report) young(s Staple) bool {
	now := r.Now
	switch s.Reason {
	case waiting:
		return !s.MustStaple || s.Since.IsZero() && !r.cut() || recent(s.Since, now, Patience)
	case string(staple.Unauthorized), string(staple.Unknown):
		return !s.MustStaple && recent(s.Since, now, settling)
	}
	return false
}

// cut reports whether some node is in more trouble than it could list.
func (r *Report) cut() bool {
	return slices.ContainsFunc(r.Nodes, func(n Node) bool { return n.TroubleCount > len(n.Troubles) })
}

// recent reports whether t is not longer ago than most; one that is unknown is.
func recent(t, now time.Time, most time.Duration) bool {
	return !t.IsZero() && now.Sub(t) < most
}

package status

import (
	"fmt"
	"math"
	"strings"
	"time"
)

// span is a duration with its two largest units: "6d3h", "4h10m", "59s".
func span(d time.Duration) string {
	if d < 0 {
		return "-" + span(-max(d, -math.MaxInt64))
	}
	units := []struct {
		size time.Duration
		name string
	}{{24 * time.Hour, "d"}, {time.Hour, "h"}, {time.Minute, "m"}, {time.Second, "s"}}
	for i, u := range units {
		if d < u.size {
			continue
		}
		s := fmt.Sprintf("%d%s", d/u.size, u.name)
		if i+1 < len(units) {
			if rest := d % u.size / units[i+1].size; rest > 0 {
				s += fmt.Sprintf("%d%s", rest, units[i+1].name)
			}
		}
		return s
	}
	return "0s"
}

// percent rounds down: 24.9% is below 25%.
func percent(f float64) string { return fmt.Sprintf("%d%%", int(f*100+1e-9)) }

func at(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return " at " + t.Format(time.RFC3339)
}

// revocationNote is why the certificate was revoked, if that is known.
func (s Staple) revocationNote() string {
	if s.RevocationReason == "" {
		return ""
	}
	return ": " + s.RevocationReason
}

func since(t time.Time, zone *time.Location) string {
	if t.IsZero() {
		return ""
	}
	return " since " + t.In(zone).Format(time.RFC3339)
}

func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// part is "2 of 12 staples (1 critical)", or nothing if none is bad.
func part(bad, all int, noun string, critical int) string {
	if bad == 0 {
		return ""
	}
	s := fmt.Sprintf("%d of %s", bad, count(all, noun))
	if critical > 0 && critical < bad {
		s += fmt.Sprintf(" (%d critical)", critical)
	}
	return s
}

func join(parts ...string) string {
	var kept []string
	for _, p := range parts {
		if p != "" {
			kept = append(kept, p)
		}
	}
	return strings.Join(kept, ", ")
}

// failure is the reason of a failure, and how often it came.
func (s Staple) failure() string {
	if s.Failures > 1 {
		return fmt.Sprintf("%s (%d times)", s.Reason, s.Failures)
	}
	return s.Reason
}

// trouble is the failure in one line: with the error, unless that only repeats
// the reason.
func (s Staple) trouble() string {
	text := s.failure()
	if s.Error != "" && s.Error != s.Reason {
		text += ": " + strings.TrimPrefix(s.Error, s.Reason+": ")
	}
	return text
}

func (t NodeTrouble) label() string {
	switch {
	case t.Job != "" && t.Name != "":
		return t.Job + "/" + t.Name
	case t.Name != "":
		return t.Name
	case t.ID != "":
		return shortID(t.ID)
	}
	return "agent"
}

func (t NodeTrouble) text() string {
	text := t.Reason
	if t.Target != "" {
		text = t.Target + ": " + text
	}
	if t.Error != "" && t.Error != t.Reason {
		text += ": " + strings.TrimPrefix(t.Error, t.Reason+": ")
	}
	return text
}

// note says in a line what is wrong with the node.
func (n Node) note(now time.Time) string {
	switch n.State {
	case Stale:
		if n.Seen.IsZero() {
			return "never seen"
		}
		return fmt.Sprintf("stale, last seen %s ago", span(now.Sub(n.Seen)))
	case Clock:
		return fmt.Sprintf("its clock is %s ahead of the clock here", span(n.Seen.Sub(now)))
	case Trouble:
		s := count(n.TroubleCount, "trouble")
		if len(n.Troubles) > 0 {
			s += ": " + n.Troubles[0].label() + ": " + n.Troubles[0].text()
		}
		return s
	}
	return n.State
}

package record

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// Reload is v1/reload: which nodes reload a server now, and whose reload failed.
// Each node writes it by cas and nobody holds a session on it, so that every
// entry ends by itself.
type Reload struct {
	Format  int             `json:"format"`
	Holders []ReloadHolder  `json:"holders,omitempty"`
	Failed  []ReloadFailure `json:"failed,omitempty"`
}

// Reloader is who reloads: one target of one job of one agent. Instance tells
// agents apart, Node is for people.
type Reloader struct {
	Instance string `json:"instance"`
	Node     string `json:"node"`
	Job      string `json:"job"`
	Target   string `json:"target"`
}

// ReloadHolder reloads now, and until then at the latest.
type ReloadHolder struct {
	Reloader
	Until time.Time `json:"until"`
}

// ReloadFailure is a reload that failed, first and last, and has not been mended.
type ReloadFailure struct {
	Reloader
	Error string    `json:"error"`
	Since time.Time `json:"since"`
	At    time.Time `json:"at"`
}

const (
	// ReloadHold is how long a turn lasts that nobody gives back.
	ReloadHold = 3 * time.Minute
	// ReloadStop is how long a failed reload stops the job's other nodes, from
	// the first failure on.
	ReloadStop = time.Hour
	// reloadForget is how long a failure that is not repeated is remembered.
	reloadForget = 24 * time.Hour
	// reloadAhead is how far ahead of ours a holder's clock may be: an entry
	// beyond that is a wrong clock, and must not stop everybody for long.
	reloadAhead = 2 * time.Minute

	maxReload = 256 << 10
	// maxReloadFailed bounds the failures, most recent first.
	maxReloadFailed = 100
	maxReloadError  = 300
)

// Take has me reload now, if fewer than most other nodes do and, unless it is
// urgent, no other node of the job has failed. Otherwise stopped is that
// failure, or nil where only the others' turns have to be waited for.
func (r Reload) Take(me Reloader, most int, urgent bool, now time.Time) (next Reload, ok bool, stopped *ReloadFailure) {
	r = r.tidy(now)
	nodes := map[string]bool{}
	for _, h := range r.Holders {
		nodes[h.Instance] = true
	}
	delete(nodes, me.Instance)
	if len(nodes) >= most {
		return r, false, nil
	}
	for _, f := range r.Failed {
		if !urgent && f.Job == me.Job && f.Instance != me.Instance && now.Sub(f.Since) < ReloadStop {
			return r, false, &f
		}
	}
	r.Holders = append(without(r.Holders, me), ReloadHolder{Reloader: me, Until: now.Add(ReloadHold)})
	return r, true, nil
}

// Give ends me's turn. failure is empty if the reload worked; then an earlier
// failure of me's is mended.
func (r Reload) Give(me Reloader, failure string, now time.Time) Reload {
	r = r.tidy(now)
	r.Holders = without(r.Holders, me)
	since := now
	r.Failed = slices.DeleteFunc(r.Failed, func(f ReloadFailure) bool {
		if f.Reloader == me {
			since = f.Since
		}
		return f.Reloader == me
	})
	if failure == "" {
		return r
	}
	if len(failure) > maxReloadError {
		failure = strings.ToValidUTF8(failure[:maxReloadError], "") + " …"
	}
	r.Failed = append([]ReloadFailure{{Reloader: me, Error: failure, Since: since, At: now}}, r.Failed...)
	r.Failed = r.Failed[:min(len(r.Failed), maxReloadFailed)]
	return r
}

// tidy is r in slices of its own, without what has ended or can't be true.
func (r Reload) tidy(now time.Time) Reload {
	next := Reload{}
	for _, h := range r.Holders {
		if h.Until.After(now) && h.Until.Before(now.Add(ReloadHold+reloadAhead)) {
			next.Holders = append(next.Holders, h)
		}
	}
	for _, f := range r.Failed {
		if now.Sub(f.At) < reloadForget && f.At.Before(now.Add(reloadAhead)) && !f.Since.After(f.At) {
			next.Failed = append(next.Failed, f)
		}
	}
	return next
}

func without(holders []ReloadHolder, me Reloader) []ReloadHolder {
	return slices.DeleteFunc(holders, func(h ReloadHolder) bool { return h.Reloader == me })
}

// Encode is the JSON of r in this agent's format.
func (r Reload) Encode() ([]byte, error) {
	r.Format = Format
	return encode("reload", r)
}

// DecodeReload reads what [Reload.Encode] wrote. Nothing, and nil, is a record
// without entries.
func DecodeReload(b []byte) (Reload, error) {
	var r Reload
	if len(b) == 0 {
		return r, nil
	}
	if err := decode("reload", b, maxReload, &r); err != nil {
		return Reload{}, err
	}
	return r, nil
}

// String names who failed, with what, for people. Foreign text is quoted.
func (f ReloadFailure) String() string {
	return fmt.Sprintf("the reload of %.100q on node %.100q has failed since %s: %.300q", f.Target, f.Node, f.Since.UTC().Format(time.RFC3339), f.Error)
}

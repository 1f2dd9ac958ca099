package plugin

import (
	"fmt"
	"strings"
	"sync"

	"github.com/hashicorp/go-hclog"

	"github.com/consul-ocsp/consul-ocsp/plugin/fetcher"
	"github.com/consul-ocsp/consul-ocsp/plugin/responder"
	"github.com/consul-ocsp/consul-ocsp/plugin/staple"
	"github.com/consul-ocsp/consul-ocsp/plugin/writer"
)

// updateStatus is HAProxy's number and text for the outcome of an update.
type updateStatus string

// As "show ssl ocsp-updates" of HAProxy's management guide lists them. The third
// has quotes within its quotes there, too.
const (
	updateDone    updateStatus = `1 "Update successful"`
	updateHTTP    updateStatus = `2 "HTTP error"`
	updateHeader  updateStatus = `3 "Missing "ocsp-response" header"`
	updateRefused updateStatus = `4 "OCSP response check failure"`
	updateInsert  updateStatus = `5 "Error during insertion"`
)

// updateLog writes, for those who read HAProxy's log, the line that its own
// ocsp-update writes (configuration manual, "ocsp-update"): path, status, text,
// failures and successes since the start. It speaks of the node's own files.
type updateLog struct {
	logger hclog.Logger
	on     func() bool

	mu    sync.Mutex
	files map[string]*updatedFile // by the certificate's path
}

// updatedFile is what was said of one file.
type updatedFile struct {
	applied, refused, wrong string // responses by checksum; wrong has the reason, too
	failures, successes     int
}

// file is that of a path; the caller holds mu.
func (l *updateLog) file(path string) *updatedFile {
	if l.files == nil {
		l.files = map[string]*updatedFile{}
	}
	f := l.files[path]
	if f == nil {
		f = &updatedFile{}
		l.files[path] = f
	}
	return f
}

// say writes the line; the caller holds mu.
func (l *updateLog) say(path string, f *updatedFile, s updateStatus) {
	if s == updateDone {
		f.successes++
	} else {
		f.failures++
	}
	if !l.on() {
		return
	}
	path = strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return '?' // one line stays one
		}
		return r
	}, path)
	l.logger.Info(fmt.Sprintf("<OCSP-UPDATE> %s %s %d %d", path, s, f.failures, f.successes))
}

// applied hears how far a file came: a newer response is said once every target
// has it, and what keeps it from there once for each reason. What the file held
// at the start is no update.
func (l *updateLog) applied(s writer.State) {
	l.mu.Lock()
	defer l.mu.Unlock()
	f := l.file(s.Path)
	if f.applied == "" {
		f.applied = s.Loaded
	}
	if s.Refused != nil && s.Refused.SHA256 != f.refused {
		f.refused = s.Refused.SHA256
		l.say(s.Path, f, updateRefused)
	}
	if s.Applied.SHA256 == "" || s.Applied.SHA256 == f.applied {
		return
	}
	reason, everywhere := s.Reason, true
	for _, t := range s.Targets {
		if t.Reason != "" && reason == "" {
			reason = t.Reason
		}
		everywhere = everywhere && t.SHA256 == s.Applied.SHA256
	}
	switch wrong := s.Applied.SHA256 + reason; {
	case reason != "" && f.wrong != wrong:
		f.wrong = wrong
		l.say(s.Path, f, updateInsert)
	case reason == "" && everywhere:
		f.applied = s.Applied.SHA256
		l.say(s.Path, f, updateDone)
	}
}

// fetched hears what came of a fetch for the certificate in these files. A newer
// response is said only where nobody applies it.
func (l *updateLog) fetched(paths []string, r fetcher.Result, sayNew bool) {
	var status updateStatus
	switch {
	case r.Outcome == fetcher.Unchanged, r.Outcome == fetcher.Fetched && sayNew:
		status = updateDone
	case r.Outcome == fetcher.Failed:
		status = statusOfReason(r.Reason)
	default:
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, path := range paths {
		l.say(path, l.file(path), status)
	}
}

// statusOfReason is HAProxy's word for one of ours.
func statusOfReason(reason string) updateStatus {
	switch reason {
	case string(responder.NotOCSP), string(responder.Empty):
		return updateHeader
	case fetcher.Unknown:
		return updateRefused
	}
	for _, m := range staple.Reasons() {
		if string(m.Reason) == reason {
			return updateRefused
		}
	}
	return updateHTTP
}

// ended is for a fetcher: it is told of the end of each turn. sayNew is for one
// beside which nothing is delivered.
func (p *parts) ended(sayNew bool) func(fetcher.Result) {
	return func(r fetcher.Result) {
		if p.updates.on() {
			p.updates.fetched(p.holding.paths(r.Target.ID), r, sayNew)
		}
	}
}

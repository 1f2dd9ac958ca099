package store

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/consul-ocsp/consul-ocsp/plugin/foldersync"
	"github.com/consul-ocsp/consul-ocsp/plugin/record"
)

// The history of a certificate is a folder, history/<id>:
//
//	certificate.pem           the certificate and its issuer
//	<thisUpdate>-<sha256>.der a response, byte for byte; thisUpdate as 20060102T150405Z
//	<the same>.json           what is noted of it: see record.Kept
//
// A response is there before it takes its place among the staples, and never
// changes; so whoever has the folder needs nothing else, and no word of ours, to
// check it.
const (
	histories       = "history"
	keptCertificate = "certificate.pem"
	keptTime        = "20060102T150405Z"
	maxKeptFile     = 2 << 20
	halfAfter       = time.Hour // a file that is so long unfinished was left by a crash
)

// History says which responses are kept as evidence.
type History struct {
	// Keep is how many responses of a certificate are kept; 0: none.
	Keep func(id string) int
	// Kept is told of each that was kept, and of each that could not be: that
	// stops nothing. It must not block or call the Store.
	Kept func(st record.Staple, err error)
}

// SetHistory has responses kept from now on. It is called before the Store is
// used by others.
func (s *Store) SetHistory(h History) { s.history = h }

// keptName is how the files of a response are called, without ending.
func keptName(thisUpdate time.Time, sha256 string) string {
	return thisUpdate.UTC().Format(keptTime) + "-" + sha256
}

// parseKeptName reads what keptName wrote.
func parseKeptName(name string) (thisUpdate time.Time, sha256 string, ok bool) {
	moment, sum, _ := strings.Cut(name, "-")
	at, err := time.Parse(keptTime, moment)
	return at, sum, err == nil && record.ValidID(sum) && len(moment) == len(keptTime)
}

// evidence is a response on its way into a history.
type evidence struct {
	n      int // how many are kept of the certificate; 0: none
	folder string
	made   bool // folder is new, and not durable yet
	draft  *draft
	err    error
}

// evidenceOf writes a response beside its place in the history, if it is wanted
// there.
func (s *Store) evidenceOf(st record.Staple) (e evidence) {
	if s.history.Keep == nil {
		return e
	}
	if e.n = s.history.Keep(st.ID); e.n <= 0 {
		return evidence{}
	}
	if e.folder, e.err = s.path(histories, st.ID, ""); e.err != nil {
		return e
	}
	if y := st.Meta.ThisUpdate.UTC().Year(); y < 1 || y > 9999 || !record.ValidID(st.Meta.SHA256) {
		e.err = fmt.Errorf("data_dir: history: a response for %s can't be kept under its date", st.ID)
		return e
	}
	if e.made, e.err = makeHistory(e.folder); e.err == nil {
		e.draft, e.err = newDraft(filepath.Join(e.folder, keptName(st.Meta.ThisUpdate, st.Meta.SHA256)+".der"), st.DER)
	}
	return e
}

// place puts what is durable into its place, and removes what is too much.
func (e *evidence) place(f *foldersync.Folders) {
	if e.n == 0 || e.err != nil {
		return
	}
	if e.err = e.draft.place(); e.err != nil {
		return
	}
	if e.err = f.Sync(e.folder); e.err == nil {
		e.err = trimHistory(e.folder, e.n)
	}
}

// remember makes new folders durable, also those of before where that failed, and
// tells what was kept, and could not be.
func (s *Store) remember(batch []*pending, all []evidence) (err error) {
	var parents error
	switch {
	case slices.ContainsFunc(all, func(e evidence) bool { return e.made }):
		parents = s.syncHistories()
	case slices.ContainsFunc(all, func(e evidence) bool { return e.n > 0 }):
		parents = s.settleHistories()
	}
	for i, e := range all {
		if e.n > 0 {
			failed := errors.Join(e.err, parents)
			s.history.Kept(batch[i].st, failed)
			err = errors.Join(err, failed)
		}
	}
	return err
}

// syncHistories makes folders of new certificates durable.
func (s *Store) syncHistories() error {
	return errors.Join(s.folders.Sync(filepath.Join(s.dir, histories)), s.folders.Sync(s.dir))
}

// settleHistories makes up for that where it failed.
func (s *Store) settleHistories() error {
	return errors.Join(s.folders.Settle(filepath.Join(s.dir, histories)), s.folders.Settle(s.dir))
}

// KeepStored keeps a response that is stored, where its history has it not yet, or
// not durably: history was switched on after it had come, or it could not be kept
// then. One that is neither kept nor stored is gone, and no error.
func (s *Store) KeepStored(id string, thisUpdate time.Time, sha256 string) error {
	if s.history.Keep == nil || s.history.Keep(id) <= 0 {
		return nil
	}
	folder, err := s.path(histories, id, "")
	if err != nil {
		return err
	}
	name := keptName(thisUpdate, sha256)
	if _, err := os.Lstat(filepath.Join(folder, name+".der")); err == nil {
		return errors.Join(s.folders.Settle(folder), s.settleHistories())
	}
	return s.locked(func() error {
		st, found, err := s.Staple(id)
		if err != nil || !found || keptName(st.Meta.ThisUpdate, st.Meta.SHA256) != name {
			return err
		}
		e := s.evidenceOf(st)
		if e.draft != nil {
			e.err = e.draft.keep()
		}
		e.place(&s.folders)
		return s.remember([]*pending{{st: st}}, []evidence{e})
	})
}

// makeHistory makes the folder of a certificate where there is none.
func makeHistory(folder string) (made bool, err error) {
	if _, err := os.Lstat(folder); err == nil {
		return false, nil
	}
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return false, fmt.Errorf("data_dir: %w", err)
	}
	return true, nil
}

// trimHistory removes all but the newest n responses, and what a crash left
// half-written or alone.
func trimHistory(folder string, n int) error {
	names, err := keptNames(folder)
	if err != nil {
		return err
	}
	gone := names.alone
	for _, name := range names.half {
		// One that is being written is young.
		if info, err := os.Lstat(filepath.Join(folder, name)); err == nil && time.Since(info.ModTime()) > halfAfter {
			gone = append(gone, name)
		}
	}
	for _, name := range names.kept[:max(0, len(names.kept)-n)] {
		gone = append(gone, name+".der", name+".json")
	}
	for _, name := range gone {
		if removed := os.Remove(filepath.Join(folder, name)); removed != nil && !errors.Is(removed, fs.ErrNotExist) {
			err = errors.Join(err, removed)
		}
	}
	return err
}

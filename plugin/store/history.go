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

// remember keeps those responses of a batch that a history wants, before they
// take their places. The caller holds the lock.
func (s *Store) remember(batch []*pending, drafts []*draft) {
	if s.history.Keep == nil {
		return
	}
	errs := make([]error, len(batch))
	kept := make([]bool, len(batch))
	made := make([]bool, len(batch))
	together(len(batch), syncers, func(i int) {
		if drafts[i] == nil || batch[i].err != nil {
			return
		}
		if n := s.history.Keep(batch[i].st.ID); n > 0 {
			kept[i] = true
			made[i], errs[i] = s.keepResponse(batch[i].st, n)
		}
	})
	var parents error
	if slices.Contains(made, true) {
		parents = s.syncHistories()
	}
	for i, p := range batch {
		if kept[i] {
			s.history.Kept(p.st, errors.Join(errs[i], parents))
		}
	}
}

// syncHistories makes folders of new certificates durable.
func (s *Store) syncHistories() error {
	return errors.Join(s.folders.sync(filepath.Join(s.dir, histories)), s.folders.sync(s.dir))
}

// KeepStored keeps the stored response of a certificate where its history has
// none yet: history was switched on after it had come.
func (s *Store) KeepStored(id string) error {
	n := 0
	if s.history.Keep != nil {
		n = s.history.Keep(id)
	}
	path, err := s.path(histories, id, "")
	if err != nil || n == 0 {
		return err
	}
	if _, err := os.Lstat(filepath.Join(path, keptCertificate)); err == nil {
		return nil
	}
	return s.locked(func() error {
		st, found, err := s.Staple(id)
		if err != nil || !found {
			return err
		}
		made, err := s.keepResponse(st, n)
		if made {
			err = errors.Join(err, s.syncHistories())
		}
		s.history.Kept(st, err)
		return err
	})
}

// keepResponse keeps a response, and no more than the newest n of its
// certificate. It reports whether the folder is new, and not durable yet.
func (s *Store) keepResponse(st record.Staple, n int) (made bool, err error) {
	folder, err := s.path(histories, st.ID, "")
	if err != nil {
		return false, err
	}
	if y := st.Meta.ThisUpdate.UTC().Year(); y < 1 || y > 9999 || !record.ValidID(st.Meta.SHA256) {
		return false, fmt.Errorf("data_dir: history: a response for %s can't be kept under its date", st.ID)
	}
	if made, err = makeHistory(folder); err != nil {
		return made, err
	}
	d, err := newDraft(filepath.Join(folder, keptName(st.Meta.ThisUpdate, st.Meta.SHA256)+".der"), st.DER)
	if err != nil {
		return made, err
	}
	if err := d.keep(); err != nil {
		return made, err
	}
	if err := d.place(); err != nil {
		return made, err
	}
	if err := s.folders.sync(folder); err != nil {
		return made, err
	}
	return made, trimHistory(folder, n)
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
// half-written: the caller holds the lock, so nobody is writing.
func trimHistory(folder string, n int) error {
	names, err := keptNames(folder)
	if err != nil {
		return err
	}
	gone := names.half
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

// Note changes what is noted of a kept response; change reports whether there is
// anything new, and may be called twice. Of a response that is not kept, or no longer, nothing is noted.
// Notes that can't be read are begun anew.
func (s *Store) Note(id string, thisUpdate time.Time, sha256 string, change func(*record.Kept) bool) error {
	folder, err := s.path(histories, id, "")
	if err != nil {
		return err
	}
	if !record.ValidID(sha256) {
		return fmt.Errorf("data_dir: history: %.80q is no checksum", sha256)
	}
	path := filepath.Join(folder, keptName(thisUpdate, sha256))
	if _, err := os.Lstat(path + ".der"); err != nil {
		return nil
	}
	if notes, _ := readNotes(path + ".json"); !change(&notes) {
		return nil // as for most at a start: no lock for each of them
	}
	return s.locked(func() error {
		if _, err := os.Lstat(path + ".der"); err != nil {
			return nil
		}
		notes, _ := readNotes(path + ".json")
		if !change(&notes) {
			return nil
		}
		b, err := notes.Encode()
		if err != nil {
			return err
		}
		return s.folders.replace(path+".json", b)
	})
}

// PutKeptCertificate keeps the certificate whose history it is, with its issuer,
// both PEM, unless it is there.
func (s *Store) PutKeptCertificate(id string, pem func() []byte) error {
	folder, err := s.path(histories, id, "")
	if err != nil {
		return err
	}
	path := filepath.Join(folder, keptCertificate)
	if _, err := os.Lstat(path); err == nil {
		return nil
	}
	return s.locked(func() error {
		made, err := makeHistory(folder)
		if err != nil {
			return err
		}
		if made {
			err = s.syncHistories()
		}
		return errors.Join(err, s.folders.replace(path, pem()))
	})
}

package store

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"github.com/consul-ocsp/consul-ocsp/plugin/foldersync"
	"github.com/consul-ocsp/consul-ocsp/plugin/record"
)

// Note is what is to be noted of a kept response, and what came of it.
type Note struct {
	ID, SHA256 string
	ThisUpdate time.Time
	// Change puts it into the notes and reports whether there is anything new. It
	// may be called twice. Notes that can't be read are begun anew.
	Change func(*record.Kept) bool
	// Certificate, if set, is the certificate and its issuer, PEM, to be kept
	// beside the responses where it is not yet. One Note of an id has it.
	Certificate func() []byte
	Err         error

	folder string
	drafts []*draft
}

// notesAtOnce is how many notes are written together.
const notesAtOnce = 256

// Note writes what is new. Of a response that is not kept, or no longer, nothing
// is noted. Who keeps responses meanwhile does not wait for it.
func (s *Store) Note(list []*Note) {
	together(len(list), runtime.GOMAXPROCS(0), func(i int) { list[i].look(s) })
	list = slices.DeleteFunc(slices.Clone(list), func(n *Note) bool { return n.folder == "" })
	for some := range slices.Chunk(list, notesAtOnce) {
		err := s.noting(func() {
			together(len(some), runtime.GOMAXPROCS(0), func(i int) { some[i].write() })
			keepNotes(some)
			together(len(some), syncers, func(i int) { some[i].place(&s.folders) })
		})
		for _, n := range some {
			n.Err = errors.Join(n.Err, err)
		}
	}
}

func (n *Note) path() string { return filepath.Join(n.folder, keptName(n.ThisUpdate, n.SHA256)) }

// look sets folder if there is anything to write: for most at a start there is
// not, and no lock is needed.
func (n *Note) look(s *Store) {
	folder, err := s.path(histories, n.ID, "")
	if err == nil && !record.ValidID(n.SHA256) {
		err = fmt.Errorf("data_dir: history: %.80q is no checksum", n.SHA256)
	}
	if err != nil {
		n.Err = err
		return
	}
	n.folder = folder
	if _, err := os.Lstat(n.path() + ".der"); err != nil {
		n.folder = ""
		return
	}
	if n.Certificate != nil && s.HasKeptCertificate(n.ID) {
		n.Certificate = nil
	}
	if notes, _ := readNotes(n.path() + ".json"); n.Certificate == nil && !n.Change(&notes) {
		n.folder = ""
	}
}

// write writes the files beside their places.
func (n *Note) write() {
	if _, err := os.Lstat(n.path() + ".der"); err != nil {
		return // removed meanwhile
	}
	put := func(path string, b []byte) {
		d, err := newDraft(path, b)
		if err != nil {
			n.Err = errors.Join(n.Err, err)
			return
		}
		n.drafts = append(n.drafts, d)
	}
	if n.Certificate != nil {
		put(filepath.Join(n.folder, keptCertificate), n.Certificate())
	}
	notes, _ := readNotes(n.path() + ".json")
	if !n.Change(&notes) {
		return
	}
	b, err := notes.Encode()
	if err != nil {
		n.Err = errors.Join(n.Err, err)
		return
	}
	put(n.path()+".json", b)
}

// keepNotes makes what was written durable, and drops what could not be.
func keepNotes(notes []*Note) {
	var all []*draft
	for _, n := range notes {
		all = append(all, n.drafts...)
	}
	errs := keepAll(all)
	for _, n := range notes {
		var durable []*draft
		for _, d := range n.drafts {
			if errs[0] == nil {
				durable = append(durable, d)
			}
			n.Err = errors.Join(n.Err, errs[0])
			errs = errs[1:]
		}
		n.drafts = durable
	}
}

// place puts what is durable into its place.
func (n *Note) place(f *foldersync.Folders) {
	placed := false
	for _, d := range n.drafts {
		err := d.place()
		n.Err = errors.Join(n.Err, err)
		placed = placed || err == nil
	}
	if placed {
		n.Err = errors.Join(n.Err, f.Sync(n.folder))
	}
}

// noting runs do while no other process writes notes.
func (s *Store) noting(do func()) error {
	s.noteMu.Lock()
	defer s.noteMu.Unlock()
	f, err := os.OpenFile(filepath.Join(s.dir, histories, ".lock"), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return fmt.Errorf("data_dir: %w", err)
	}
	defer f.Close() // releases the lock
	if err := flock(f); err != nil {
		return err
	}
	do()
	return nil
}

// flock waits for the lock on a file.
func flock(f *os.File) error {
	for {
		err := unix.Flock(int(f.Fd()), unix.LOCK_EX)
		switch {
		case errors.Is(err, unix.EINTR):
		case err != nil:
			return fmt.Errorf("data_dir: lock: %w", err)
		default:
			return nil
		}
	}
}

package store

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/consul-ocsp/consul-ocsp/plugin/filesync"
)

// draft is a file on its way to its place. It is what renameio does in one go,
// in steps that many files can take together. Only who holds the lock of
// data_dir may have one: so its name can be the same each time, and what a crash
// left of it is written over.
type draft struct {
	file *os.File
	path string // the place
}

// newDraft writes b beside path.
func newDraft(path string, b []byte) (*draft, error) {
	name := filepath.Join(filepath.Dir(path), "."+filepath.Base(path))
	file, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return nil, fmt.Errorf("data_dir: %w", err)
	}
	d := &draft{file: file, path: path}
	if _, err := file.Write(b); err != nil {
		return nil, d.drop(err)
	}
	return d, nil
}

// keep makes durable what was written.
func (d *draft) keep() error { return keepAll([]*draft{d})[0] }

// keepAll makes durable what was written. Errors are in the order of drafts, of
// which some may be nil.
func keepAll(drafts []*draft) []error {
	var files []*os.File
	for _, d := range drafts {
		if d != nil {
			files = append(files, d.file)
		}
	}
	synced := filesync.All(files)
	errs := make([]error, len(drafts))
	for i, d := range drafts {
		if d == nil {
			continue
		}
		err := synced[0]
		synced = synced[1:]
		if closed := d.file.Close(); err == nil {
			err = closed
		}
		if err != nil {
			errs[i] = d.drop(err)
		}
	}
	return errs
}

// place puts the file into its place; durable once the folder is synced.
func (d *draft) place() error {
	if err := os.Rename(d.file.Name(), d.path); err != nil {
		return d.drop(err)
	}
	return nil
}

// drop leaves nothing behind, and is the error of it.
func (d *draft) drop(err error) error {
	d.file.Close() // closed already, or of no use
	if removed := os.Remove(d.file.Name()); removed != nil && !errors.Is(removed, os.ErrNotExist) {
		err = errors.Join(err, removed)
	}
	return fmt.Errorf("data_dir: %w", err)
}

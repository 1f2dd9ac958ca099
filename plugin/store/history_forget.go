package store

import (
	"cmp"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"
)

// Forget says which histories are no longer needed. Those of certificates that
// are held are never forgotten.
type Forget struct {
	// Held tells whether a certificate is still in use here.
	Held func(id string) bool
	// Before: what has had no response since then is forgotten.
	Before time.Time
	// LeftBefore: what has had no response since then counts as left, and of what
	// has left there are no more than Most bytes.
	LeftBefore time.Time
	Most       int64
}

// leftHistory is the history of a certificate that is no longer here.
type leftHistory struct {
	id     string
	newest time.Time
	bytes  int64
}

// ForgetHistories removes histories of certificates that are no longer here, and
// says of how many: those that are too old, and of the others the oldest as long
// as there is too much. Files that others put there stay. Where of no certificate at
// all a response has come since LeftBefore nothing is removed: it may be the clock
// that is wrong, and what is gone is gone.
func (s *Store) ForgetHistories(f Forget) (forgotten int, err error) {
	ids, err := s.Histories()
	if err != nil {
		return 0, err
	}
	if !s.keptSince(ids, f.LeftBefore) {
		return 0, nil
	}
	var left []leftHistory
	for _, id := range ids {
		if f.Held(id) {
			continue
		}
		l := s.leftHistory(id)
		switch {
		case l.newest.Before(f.Before):
			err = errors.Join(err, s.forgetHistory(l))
			forgotten++
		case l.newest.Before(f.LeftBefore):
			left = append(left, l)
		}
	}
	slices.SortFunc(left, func(a, b leftHistory) int { return cmp.Or(b.newest.Compare(a.newest), cmp.Compare(a.id, b.id)) })
	var sum int64
	for _, l := range left {
		if sum += l.bytes; sum > f.Most {
			err = errors.Join(err, s.forgetHistory(l))
			forgotten++
		}
	}
	return forgotten, err
}

// keptSince reports whether there is a response since a time, which only who has a
// responder's word for it can have kept.
func (s *Store) keptSince(ids []string, since time.Time) bool {
	return slices.ContainsFunc(ids, func(id string) bool {
		newest, _, found := s.NewestKept(id)
		return found && !newest.Before(since)
	})
}

func (s *Store) leftHistory(id string) leftHistory {
	l := leftHistory{id: id}
	folder := filepath.Join(s.dir, histories, id)
	entries, err := os.ReadDir(folder)
	if err != nil {
		l.newest = time.Now() // what can't be looked at is not forgotten
		return l
	}
	for _, e := range entries {
		if info, err := e.Info(); err == nil {
			l.bytes += info.Size()
		}
	}
	var found bool
	if l.newest, _, found = s.NewestKept(id); !found {
		if info, err := os.Lstat(folder); err == nil {
			l.newest = info.ModTime()
		}
	}
	return l
}

// forgetHistory removes the files of a history, unless there is a newer response
// by now.
func (s *Store) forgetHistory(l leftHistory) error {
	return s.locked(func() error {
		if newest, _, found := s.NewestKept(l.id); found && !newest.Equal(l.newest) {
			return nil
		}
		folder := filepath.Join(s.dir, histories, l.id)
		if err := trimHistory(folder, 0); err != nil {
			return err
		}
		if err := os.Remove(filepath.Join(folder, keptCertificate)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		_ = os.Remove(folder) // files of others keep it
		return nil
	})
}

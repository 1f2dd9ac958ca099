package store

import (
	"context"
	"errors"
	"io/fs"
	"os"

	"github.com/consul-ocsp/consul-ocsp/plugin/record"
)

// Trouble keeps why the fetches for a certificate fail; nil forgets it.
func (s *Store) Trouble(_ context.Context, id string, t *record.Trouble) error {
	if t == nil {
		path, err := s.path(troubles, id, ".json")
		if err != nil {
			return err
		}
		if _, err := os.Lstat(path); errors.Is(err, fs.ErrNotExist) {
			return nil // as for most: no lock for each of them
		}
	}
	return s.locked(func() error {
		if t == nil {
			path, err := s.path(troubles, id, ".json")
			if err != nil {
				return err
			}
			if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return err
			}
			return nil
		}
		b, err := t.Encode()
		if err != nil {
			return err
		}
		return s.put(troubles, id, ".json", b)
	})
}

// Troubles are the kept troubles by id; unreadable ones are left out.
func (s *Store) Troubles() (map[string]record.Trouble, error) {
	ids, err := s.ids(troubles, ".json")
	if err != nil {
		return nil, err
	}
	kept := make(map[string]record.Trouble, len(ids))
	for _, id := range ids {
		b, found, err := s.read(troubles, id, ".json")
		if err != nil || !found {
			continue
		}
		if t, err := record.DecodeTrouble(b); err == nil {
			kept[id] = t
		}
	}
	return kept, nil
}

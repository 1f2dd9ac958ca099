package store

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/consul-ocsp/consul-ocsp/plugin/record"
)

// Told is what was told of events; the zero Told if that can't be known.
func (s *Store) Told(context.Context) (record.Told, error) {
	b, err := os.ReadFile(filepath.Join(s.dir, told))
	if errors.Is(err, fs.ErrNotExist) {
		return record.Told{}, nil
	}
	if err != nil {
		return record.Told{}, fmt.Errorf("data_dir: %w", err)
	}
	return record.DecodeTold(b)
}

// KeepTold replaces that.
func (s *Store) KeepTold(_ context.Context, t record.Told) error {
	b, err := t.Encode()
	if err != nil {
		return err
	}
	return s.locked(func() error { return s.replace(filepath.Join(s.dir, told), b) })
}

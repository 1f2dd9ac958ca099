package store

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/consul-ocsp/consul-ocsp/plugin/record"
)

// Canaries are what was kept of canaries, by job.
func (s *Store) Canaries() (map[string]record.Canary, error) {
	all := map[string]record.Canary{}
	dir := filepath.Join(s.dir, canaries)
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return all, nil
	}
	if err != nil {
		return all, fmt.Errorf("data_dir: %w", err)
	}
	for _, e := range entries {
		job, found := strings.CutSuffix(e.Name(), ".json")
		if !found || !record.ValidName(job) {
			continue
		}
		b, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			return all, fmt.Errorf("data_dir: %w", err)
		}
		if all[job], err = record.DecodeCanary(job, b); err != nil {
			delete(all, job)
			return all, fmt.Errorf("data_dir: %w", err)
		}
	}
	return all, nil
}

// PutCanary replaces what is kept of one.
func (s *Store) PutCanary(c record.Canary) error {
	if !record.ValidName(c.Job) {
		return fmt.Errorf("data_dir: %.80q can't name a canary's job", c.Job)
	}
	b, err := c.Encode()
	if err != nil {
		return err
	}
	return s.locked(func() error {
		dir := filepath.Join(s.dir, canaries)
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return fmt.Errorf("data_dir: %w", err)
		}
		return s.replace(filepath.Join(dir, c.Job+".json"), b)
	})
}

package store

import (
	"fmt"
	"os"
	"path/filepath"
	"sync"

	"github.com/google/renameio/v2"
)

// folders makes the names in folders durable, and remembers where that failed: a
// file that is in its place, but not for sure after a power cut, is not to be
// taken for stored by whoever comes next. The zero value is ready, and safe for
// concurrent use.
type folders struct {
	mu       sync.Mutex
	unsynced map[string]bool
	do       func(path string) error // nil: syncFolder
}

// sync makes what is in a folder durable.
func (f *folders) sync(path string) error {
	do := f.do
	if do == nil {
		do = syncFolder
	}
	err := do(path)
	f.mu.Lock()
	defer f.mu.Unlock()
	if err == nil {
		delete(f.unsynced, path)
		return nil
	}
	if f.unsynced == nil {
		f.unsynced = map[string]bool{}
	}
	f.unsynced[path] = true
	return err
}

// open reports whether the last sync of a folder failed.
func (f *folders) open(path string) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.unsynced[path]
}

// settle makes up for a sync that failed.
func (f *folders) settle(path string) error {
	if !f.open(path) {
		return nil
	}
	return f.sync(path)
}

// replace makes path hold b, whole or not at all, also after a power cut.
func (f *folders) replace(path string, b []byte) error {
	if err := renameio.WriteFile(path, b, 0o600, renameio.IgnoreUmask(), renameio.WithTempDir(filepath.Dir(path))); err != nil {
		return fmt.Errorf("data_dir: %w", err)
	}
	return f.sync(filepath.Dir(path))
}

func syncFolder(path string) error {
	folder, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("data_dir: %w", err)
	}
	defer folder.Close()
	if err := folder.Sync(); err != nil {
		return fmt.Errorf("data_dir: %w", err)
	}
	return nil
}

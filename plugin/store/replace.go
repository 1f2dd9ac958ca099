package store

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/google/renameio/v2"
)

// replace makes path hold b, whole or not at all, also after a power cut.
func (s *Store) replace(path string, b []byte) error {
	if err := renameio.WriteFile(path, b, 0o600, renameio.IgnoreUmask(), renameio.WithTempDir(filepath.Dir(path))); err != nil {
		return fmt.Errorf("data_dir: %w", err)
	}
	return s.folders.Sync(filepath.Dir(path))
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

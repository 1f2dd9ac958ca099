package regularfile

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

func TestRead(t *testing.T) {
	dir := t.TempDir()
	file, link, pipe := filepath.Join(dir, "file"), filepath.Join(dir, "link"), filepath.Join(dir, "pipe")
	err := errors.Join(os.WriteFile(file, []byte("12345"), 0o600), os.Symlink(file, link), unix.Mkfifo(pipe, 0o600))
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{file, link} {
		b, info, err := Read(path, 5)
		if err != nil || string(b) != "12345" || info.Size() != 5 {
			t.Errorf("%s: %q, %v", path, b, err)
		}
	}
	for path, want := range map[string]error{pipe: ErrNotRegular, dir: ErrNotRegular, "/dev/zero": ErrNotRegular, filepath.Join(dir, "none"): fs.ErrNotExist} {
		var located *fs.PathError
		if _, _, err := Read(path, 5); !errors.Is(err, want) || !errors.As(err, &located) || located.Path != path {
			t.Errorf("%s: %v", path, err)
		}
	}
	if _, _, err := Read(file, 4); err == nil || !strings.Contains(err.Error(), file+": more than 4 bytes") {
		t.Error(err)
	}
}

// Package regularfile reads files that others name: what is none, as a pipe whose
// other end nobody opens, keeps no reader waiting, and what is too long fills no
// memory.
package regularfile

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"golang.org/x/sys/unix"
)

// ErrNotRegular is in the error for a folder, a pipe, a socket or a device.
var ErrNotRegular = errors.New("not a regular file")

// Read returns what a file holds and what it is, through links. A file of more
// than most bytes is an error. Errors are [fs.PathError]s, so that who knows the
// path already can leave it out.
func Read(path string, most int64) ([]byte, fs.FileInfo, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, nil, &fs.PathError{Op: "read", Path: path, Err: ErrNotRegular}
	}
	b, err := io.ReadAll(io.LimitReader(f, most+1))
	if err != nil {
		return nil, nil, err
	}
	if int64(len(b)) > most {
		return nil, nil, &fs.PathError{Op: "read", Path: path, Err: fmt.Errorf("more than %d bytes", most)}
	}
	return b, info, nil
}

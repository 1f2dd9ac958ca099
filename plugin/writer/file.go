package writer

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"os"
	"syscall"

	"github.com/consul-ocsp/consul-ocsp/plugin/filesync"
	"github.com/consul-ocsp/consul-ocsp/plugin/foldersync"
)

// maxFile bounds what is read of a file that is already there. HAProxy reads
// no more than tune.bufsize (16,384) of one.
const maxFile = 64 << 10

// newMode is the mode of a file that was not there: HAProxy reads it under
// whatever user it runs, and a staple is no secret.
const newMode = 0o644

// file is one destination.
type file struct {
	path  string // as the server knows it
	like  string // a new file takes owner and group of this one where permitted
	trust trust
	// contents and folders are shared by those who write many files; nil: on its
	// own, for one that is not tried again.
	contents *filesync.Group
	folders  *foldersync.Folders
}

// read returns what the file holds; nil when it does not exist. What is longer
// than maxFile is cut there: no response is that long.
func (f file) read() ([]byte, error) {
	p, err := f.trust.locate(f.path)
	if err != nil || !p.exists {
		return nil, err
	}
	return readPlace(p)
}

func readPlace(p place) ([]byte, error) {
	// Without O_NONBLOCK a pipe put there since would hold us.
	r, err := os.OpenFile(p.path(), os.O_RDONLY|syscall.O_NONBLOCK|syscall.O_NOFOLLOW, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, refuse(ReasonPath, "%w", err)
	}
	defer r.Close()
	b, err := io.ReadAll(io.LimitReader(r, maxFile))
	if err != nil {
		return nil, refuse(ReasonPath, "%w", err)
	}
	return b, nil
}

// readFirst is read for the first time: it removes what a crash left beside the
// file.
func (f file) readFirst() ([]byte, error) {
	p, err := f.trust.locate(f.path)
	if err != nil {
		return nil, err
	}
	f.cleanAt(p)
	if !p.exists {
		return nil, nil
	}
	return readPlace(p)
}

// replace makes the file hold content, whole or not at all, also across a
// crash or a power cut. decide is called with what the file holds (nil: no
// file) while no other process of ours can write it, and says whether content
// shall take its place. Content that is there already is not written again.
//
// The temporary name begins with a dot and ends in .ocsp: HAProxy loads
// anything else in a folder of certificates as a certificate. renameio is not
// used because its temporary names end in digits, and because it neither
// keeps the owner nor syncs the folder.
func (f file) replace(content []byte, decide func(old []byte) (bool, error)) (written bool, err error) {
	p, err := f.trust.locate(f.path)
	if err != nil {
		return false, err
	}
	// Looked at before any lock: nearly always nothing is to be done.
	if p.exists {
		old, err := readPlace(p)
		if err == nil && bytes.Equal(old, content) {
			return false, f.settle()
		}
	}
	tmp, err := f.reserve(p)
	if err != nil {
		return false, err
	}
	defer func() {
		if !written {
			os.Remove(tmp.Name())
		}
		tmp.Close() // ends the lock, so after the rename or the removal
	}()
	var old []byte
	if p, err = f.again(p); err != nil {
		return false, err
	}
	if p.exists {
		if old, err = readPlace(p); err != nil {
			return false, err
		}
	}
	if bytes.Equal(old, content) && p.exists {
		return false, f.settle()
	}
	switch ok, err := decide(old); {
	case err != nil:
		return false, err
	case !ok:
		return false, f.settle()
	}
	if err := f.fill(tmp, p, content); err != nil {
		return false, err
	}
	if err := os.Rename(tmp.Name(), p.path()); err != nil {
		return false, refuse(ReasonWrite, "%w", err)
	}
	written = true
	return written, f.sync(p.folder)
}

// again is where the file is now that a lock is held. Its folder was judged the
// moment before: only a name that is no plain file any more has the way looked at
// once more.
func (f file) again(p place) (place, error) {
	var st syscall.Stat_t
	switch err := lstat(p.path(), &st); {
	case errors.Is(err, fs.ErrNotExist):
		p.exists = false
	case err == nil && st.Mode&syscall.S_IFMT == syscall.S_IFREG:
		p.exists = true
	default:
		return f.trust.locate(f.path)
	}
	return p, nil
}

// fill writes content and gives the file its owner, group and mode.
func (f file) fill(tmp *os.File, p place, content []byte) error {
	if err := tmp.Truncate(0); err != nil {
		return refuse(ReasonWrite, "%w", err)
	}
	if _, err := tmp.WriteAt(content, 0); err != nil {
		return refuse(ReasonWrite, "%w", err)
	}
	if err := f.own(tmp, p); err != nil {
		return err
	}
	if err := f.syncContent(tmp); err != nil {
		return refuse(ReasonWrite, "%w", err)
	}
	return nil
}

// removeIf takes the file away if decide says so of what it holds, while no
// other process of ours can write it.
func (f file) removeIf(decide func(content []byte) bool) (bool, error) {
	p, err := f.trust.locate(f.path)
	if err != nil {
		return false, err
	}
	if !p.exists {
		return false, f.settle()
	}
	tmp, err := f.reserve(p)
	if err != nil {
		return false, err
	}
	defer func() {
		os.Remove(tmp.Name())
		tmp.Close()
	}()
	if p, err = f.again(p); err != nil || !p.exists {
		return false, err
	}
	content, err := readPlace(p)
	if err != nil || content == nil || !decide(content) {
		return false, err
	}
	return f.remove()
}

// remove takes the file away.
func (f file) remove() (bool, error) {
	p, err := f.trust.locate(f.path)
	if err != nil {
		return false, err
	}
	if !p.exists {
		return false, f.settle()
	}
	if err := os.Remove(p.path()); err != nil {
		return false, refuse(ReasonWrite, "%w", err)
	}
	return true, f.sync(p.folder)
}

package writer

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
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

// own keeps owner, group and mode of the file that is replaced. A new file is
// readable by all and takes the certificate's owner and group where permitted.
func (f file) own(tmp *os.File, p place) error {
	mode := fs.FileMode(newMode)
	if p.exists {
		fi, err := os.Lstat(p.path())
		if err != nil {
			return refuse(ReasonWrite, "%w", err)
		}
		uid, gid := owner(fi)
		if p.sticky && uid != 0 && uid != f.trust.uid {
			return refuse(ReasonOwner, "%s belongs to %s in a folder where everybody can create files", p.path(), userName(uid))
		}
		mode = fi.Mode().Perm()
		if err := chown(tmp, uid, gid); err != nil {
			return refuse(ReasonOwner, "%s belongs to %s, group %s, and we are not permitted to keep that: give it to %s or remove it",
				p.path(), userName(uid), groupName(gid), userName(f.trust.uid))
		}
	} else if fi, err := os.Stat(f.like); err == nil {
		uid, gid := owner(fi)
		if chown(tmp, uid, gid) != nil {
			// An ordinary user can't give files away, but may be of that group.
			_ = tmp.Chown(-1, int(gid))
		}
	}
	// After the change of owner, which may clear bits.
	if err := tmp.Chmod(mode); err != nil {
		return refuse(ReasonWrite, "%w", err)
	}
	return nil
}

func chown(tmp *os.File, uid, gid uint32) error {
	fi, err := tmp.Stat()
	if err != nil {
		return err
	}
	if u, g := owner(fi); u == uid && g == gid {
		return nil
	}
	return tmp.Chown(int(uid), int(gid))
}

// sync makes the name of the file in its folder durable.
func (f file) sync(folder string) error {
	if f.folders == nil {
		return syncFolder(folder)
	}
	return f.folders.Sync(folder)
}

// settle is for a file that is as it should be, and is only done once its folder
// is synced: it makes up for a sync that failed.
func (f file) settle() error {
	if f.folders == nil || f.folders.AllSynced() { // nearly always
		return nil
	}
	p, err := f.trust.locate(f.path)
	if err != nil {
		return err
	}
	return f.folders.Settle(p.folder)
}

// syncContent makes what was written durable.
func (f file) syncContent(tmp *os.File) error {
	if f.contents == nil {
		return tmp.Sync()
	}
	return f.contents.Sync(tmp)
}

func syncFolder(folder string) error {
	if err := foldersync.Once(folder); err != nil {
		return refuse(ReasonWrite, "%w", err)
	}
	return nil
}

// temporary is the name used while p is written. It is the same each time, so
// that it serves as the lock between processes and a crash leaves at most one.
func temporary(p place) string {
	return filepath.Join(p.folder, "."+p.base+".new.ocsp")
}

// reserve opens the temporary file for p, locked against other processes.
func (f file) reserve(p place) (*os.File, error) {
	name := temporary(p)
	for range 10 {
		tmp, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0o600)
		if err != nil {
			return nil, refuse(ReasonWrite, "%w", err)
		}
		mine, err := f.take(tmp)
		if err != nil {
			tmp.Close()
			return nil, err
		}
		if mine {
			return tmp, nil
		}
		tmp.Close()
	}
	return nil, refuse(ReasonBusy, "%s is written by another process", p.path())
}

// take locks tmp. It is false when the file was renamed or removed meanwhile,
// or was not ours and has been removed: try again.
func (f file) take(tmp *os.File) (bool, error) {
	if err := syscall.Flock(int(tmp.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		return false, refuse(ReasonBusy, "%s is locked: %w", tmp.Name(), err)
	}
	open, err := tmp.Stat()
	if err != nil {
		return false, refuse(ReasonWrite, "%w", err)
	}
	there, err := os.Lstat(tmp.Name())
	if err != nil || !os.SameFile(open, there) {
		return false, nil
	}
	uid, _ := owner(open)
	if st, ok := open.Sys().(*syscall.Stat_t); open.Mode().IsRegular() && uid == f.trust.uid && ok && st.Nlink == 1 {
		return true, nil
	}
	// Left by a crash after the owner was changed, or put there by somebody
	// who might still have it open: never written to.
	if err := os.Remove(tmp.Name()); err != nil {
		return false, refuse(ReasonWrite, "%w", err)
	}
	return false, nil
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

// clean removes what a crash left beside the file.
func (f file) clean() {
	if p, err := f.trust.locate(f.path); err == nil {
		f.cleanAt(p)
	}
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

func (f file) cleanAt(p place) {
	if _, err := os.Lstat(temporary(p)); err != nil {
		return
	}
	if tmp, err := f.reserve(p); err == nil {
		os.Remove(tmp.Name())
		tmp.Close()
	}
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

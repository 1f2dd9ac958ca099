package writer

import (
	"os"
	"path/filepath"
	"syscall"
)

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

// clean removes what a crash left beside the file.
func (f file) clean() {
	if p, err := f.trust.locate(f.path); err == nil {
		f.cleanAt(p)
	}
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

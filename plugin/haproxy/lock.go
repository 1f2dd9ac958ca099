package haproxy

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"
)

const (
	lockDirMode  = 0o2775 // setgid: files of the agent and of root stay in one group
	lockFileMode = 0o660
	lockPoll     = 20 * time.Millisecond
	maxNote      = 8 << 10
)

// lockFile is a held lock. Its content is a note for whoever holds it next. A
// client that only asks has none, and no file.
type lockFile struct{ f *os.File }

// acquire waits for this client's turn and then for the lock that is shared
// with other processes. The caller gives both back by session.close.
func (c *Client) acquire(ctx context.Context) (*lockFile, error) {
	ctx, cancel := context.WithTimeout(ctx, c.config.LockWait)
	defer cancel()
	select {
	case c.turn <- struct{}{}:
	case <-ctx.Done():
		return nil, c.lockError("another operation of this process is still running", ctx.Err())
	}
	lock, err := c.lock(ctx)
	if err != nil {
		<-c.turn
		return nil, err
	}
	return lock, nil
}

func (c *Client) lock(ctx context.Context) (*lockFile, error) {
	if c.config.AskOnly {
		return &lockFile{}, nil
	}
	path, err := c.lockPath()
	if err != nil {
		return nil, err
	}
	tick := time.NewTicker(lockPoll)
	defer tick.Stop()
	for {
		f, err := openLock(path)
		if err != nil {
			return nil, c.lockError("cannot open the lock file; lock_dir and its files must be writable for this user", err)
		}
		held, err := tryLock(f, path)
		if held {
			return &lockFile{f}, nil
		}
		f.Close()
		if err != nil {
			return nil, c.lockError("cannot lock "+path, err)
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil, c.lockError("another process holds "+path, ctx.Err())
		}
	}
}

// lockPath makes the folder and derives the file's name from where the socket
// really is, so that /var/run/x and /run/x share a lock.
func (c *Client) lockPath() (string, error) {
	dir := c.config.LockDir
	if dir == "" {
		return "", c.lockError("no lock_dir is set", nil)
	}
	if err := makeLockDir(dir); err != nil {
		return "", c.lockError("cannot make lock_dir", err)
	}
	network, address := splitSocket(c.config.Socket)
	if network == "unix" {
		if abs, err := filepath.Abs(address); err == nil {
			address = abs
		}
		if folder, err := filepath.EvalSymlinks(filepath.Dir(address)); err == nil {
			address = filepath.Join(folder, filepath.Base(address))
		}
	} else {
		network = "tcp"
	}
	sum := sha256.Sum256([]byte(network + " " + address))
	return filepath.Join(dir, "haproxy-"+hex.EncodeToString(sum[:12])+".lock"), nil
}

func makeLockDir(dir string) error {
	info, err := os.Stat(dir)
	if err == nil {
		if !info.IsDir() {
			return fmt.Errorf("%s is not a folder", dir)
		}
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(dir), 0o755); err != nil {
		return err
	}
	if err := os.Mkdir(dir, 0o775); err != nil {
		if errors.Is(err, fs.ErrExist) {
			return nil // another process was faster
		}
		return err
	}
	// os.Mkdir obeys the umask; unix.Chmod takes the setgid bit as it is.
	return unix.Chmod(dir, lockDirMode)
}

// openLock never follows a link: the folder may be writable for others.
func openLock(path string) (*os.File, error) {
	const flags = unix.O_RDWR | unix.O_NOFOLLOW | unix.O_NONBLOCK | unix.O_CLOEXEC
	fd, err := unix.Open(path, flags, 0)
	if errors.Is(err, unix.ENOENT) {
		fd, err = unix.Open(path, flags|unix.O_CREAT|unix.O_EXCL, lockFileMode)
		if err == nil {
			_ = unix.Fchmod(fd, lockFileMode) // past the umask
		} else if errors.Is(err, unix.EEXIST) {
			fd, err = unix.Open(path, flags, 0)
		}
	}
	if err != nil {
		return nil, &fs.PathError{Op: "open", Path: path, Err: err}
	}
	f := os.NewFile(uintptr(fd), path)
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = fmt.Errorf("%s is not a regular file", path)
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

// tryLock takes the lock if it is free. A file that was removed meanwhile
// locks out nobody, so it does not count.
func tryLock(f *os.File, path string) (bool, error) {
	err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	if errors.Is(err, unix.EWOULDBLOCK) || errors.Is(err, unix.EINTR) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	mine, err := f.Stat()
	if err != nil {
		return false, err
	}
	there, err := os.Lstat(path)
	if err != nil || !os.SameFile(mine, there) {
		return false, nil
	}
	return true, nil
}

// note leaves a text that survives this process, should it be killed.
func (l *lockFile) note(text string) error {
	if err := l.f.Truncate(0); err != nil {
		return err
	}
	_, err := l.f.WriteAt([]byte(text), 0)
	return err
}

// noted returns the text that the last holder left.
func (l *lockFile) noted() string {
	b, err := io.ReadAll(io.NewSectionReader(l.f, 0, maxNote))
	if err != nil {
		return ""
	}
	return string(b)
}

// release gives the lock back; closing the file does it.
func (l *lockFile) release() { l.f.Close() }

func (c *Client) lockError(detail string, err error) *Error {
	return &Error{Kind: KindLock, Socket: c.config.Socket, Detail: detail, Err: err}
}

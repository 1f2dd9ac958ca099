// Package fold makes one of many passes that are asked for at the same time, by
// any number of processes with the same configuration and data_dir.
//
// One of them holds a lock and works; the others leave a note and go. Whoever held
// the lock looks for a note after giving it back, and if there is one, does another
// pass or leaves it to who has the lock by then. So a pass always begins after the
// last note was left. The kernel releases the lock of a process that was killed;
// what it had taken on is done by the next pass, whoever asks for it.
//
// The lock spares work and is not needed for anything else: files, data_dir and
// HAProxy's sockets have locks of their own.
package fold

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"

	"github.com/consul-ocsp/consul-ocsp/hclconfig"
)

const (
	folder = "sync" // of data_dir
	note   = "again\n"
	// poll is how often a lock that another process has is tried.
	poll = 50 * time.Millisecond
	// age is when the file of a configuration that is no longer in use is
	// removed.
	age = 24 * time.Hour
)

// Fold is a process's part in it. Lock and note are one file of data_dir,
// sync/<hash of the configuration>. The methods are for one goroutine.
type Fold struct {
	file *os.File
	// note leaves a note; tests let something happen just before.
	note func() error
}

// Open opens the file for a configuration in a data_dir that exists.
func Open(cfg *hclconfig.Config) (*Fold, error) {
	name, err := nameOf(cfg)
	if err != nil {
		return nil, err
	}
	dir := filepath.Join(cfg.DataDir, folder)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("data_dir: %w", err)
	}
	removeOld(dir, name, time.Now().Add(-age))
	f, err := os.OpenFile(filepath.Join(dir, name), os.O_CREATE|os.O_RDWR|os.O_APPEND|unix.O_NOFOLLOW, 0o600)
	if err != nil {
		return nil, fmt.Errorf("data_dir: %w", err)
	}
	return &Fold{f, func() error { _, err := f.WriteString(note); return err }}, nil
}

// nameOf is the same for all who would do the same. What is logged, and where,
// makes no difference; no secret goes into it.
func nameOf(cfg *hclconfig.Config) (string, error) {
	c := *cfg
	c.LogLevel, c.LogJSON, c.LogFile, c.LogRotateBytes, c.LogRotateMaxFiles = "", false, "", 0, 0
	c.EnableSyslog, c.SyslogFacility, c.Files = false, "", nil
	b, err := json.Marshal(c)
	if err != nil {
		return "", fmt.Errorf("configuration: %w", err)
	}
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:12]), nil
}

// removeOld removes files of other configurations that no pass has touched
// for long. One that is in use after all stays good for those who have it open.
func removeOld(dir, own string, before time.Time) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return // there is nothing that must be removed
	}
	for _, e := range entries {
		if e.Name() == own {
			continue
		}
		if info, err := e.Info(); err == nil && info.Mode().IsRegular() && info.ModTime().Before(before) {
			_ = os.Remove(filepath.Join(dir, e.Name())) // the next pass tries again
		}
	}
}

// Close gives the lock back, too.
func (f *Fold) Close() { f.file.Close() }

// try takes the lock if it is free.
func (f *Fold) try() (bool, error) {
	for {
		err := unix.Flock(int(f.file.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		switch {
		case err == nil:
			return true, nil
		case errors.Is(err, unix.EWOULDBLOCK):
			return false, nil
		case !errors.Is(err, unix.EINTR):
			return false, fmt.Errorf("data_dir: lock %s: %w", f.file.Name(), err)
		}
	}
}

// Wait takes the lock when it becomes free, and gives up when ctx ends.
func (f *Fold) Wait(ctx context.Context) (bool, error) {
	tick := time.NewTicker(poll)
	defer tick.Stop()
	for {
		if held, err := f.try(); held || err != nil {
			return held, err
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return false, nil
		}
	}
}

// Join takes the lock, or leaves a note for who has it: held is false when
// another pass will begin after this call, and nothing is left to do.
func (f *Fold) Join() (held bool, err error) {
	if held, err = f.try(); held || err != nil {
		return held, err
	}
	if err := f.note(); err != nil {
		return false, fmt.Errorf("data_dir: %w", err)
	}
	return f.try() // who had it may have looked for notes just before
}

// Begin removes the notes: the pass that begins now is what they ask for.
func (f *Fold) Begin() error {
	if err := f.file.Truncate(0); err != nil {
		return fmt.Errorf("data_dir: %w", err)
	}
	now := time.Now()
	_ = os.Chtimes(f.file.Name(), now, now) // it is in use: see removeOld
	return nil
}

// Again gives the lock back, and takes it once more if a note was left and
// nobody else has it: then another pass is due.
func (f *Fold) Again() (bool, error) {
	if err := unix.Flock(int(f.file.Fd()), unix.LOCK_UN); err != nil {
		return false, fmt.Errorf("data_dir: unlock %s: %w", f.file.Name(), err)
	}
	info, err := f.file.Stat()
	if err != nil {
		return false, fmt.Errorf("data_dir: %w", err)
	}
	if info.Size() == 0 {
		return false, nil
	}
	return f.try()
}

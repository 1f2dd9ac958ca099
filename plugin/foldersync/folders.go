// Package foldersync makes the names in folders durable, for many who write at a
// time, and remembers where that failed: a file that is in its place, but not for
// sure after a power cut, is not done.
package foldersync

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"sync"
	"syscall"
)

// Folders are those that somebody writes to. All that ask while one of them is
// being synced are served by one more sync. It is safe for concurrent use.
type Folders struct {
	// Do syncs one folder, as [Once] does. It is set before the first use.
	Do func(path string) error

	mu       sync.Mutex
	of       map[string]*folderSyncs
	unsynced map[string]bool
}

// folderSyncs are one folder's. It is there while somebody waits.
type folderSyncs struct {
	waiting int
	running sync.Mutex
	next    *folderSync // not begun; nil: none is asked for
}

type folderSync struct {
	ended chan struct{}
	err   error
}

// Sync returns once a sync of the folder that began after the call has ended. Its
// error is Do's.
func (f *Folders) Sync(path string) error {
	f.mu.Lock()
	if f.of == nil {
		f.of = map[string]*folderSyncs{}
	}
	syncs := f.of[path]
	if syncs == nil {
		syncs = &folderSyncs{}
		f.of[path] = syncs
	}
	first := syncs.next == nil
	if first {
		syncs.next = &folderSync{ended: make(chan struct{})}
	}
	mine := syncs.next
	syncs.waiting++
	f.mu.Unlock()
	if first {
		f.serve(path, syncs, mine)
	}
	<-mine.ended

	f.mu.Lock()
	defer f.mu.Unlock()
	if syncs.waiting--; syncs.waiting == 0 {
		delete(f.of, path)
	}
	return mine.err
}

// serve is called by the first of those who wait for the same sync, which others
// join until its turn comes.
func (f *Folders) serve(path string, syncs *folderSyncs, mine *folderSync) {
	syncs.running.Lock()
	defer syncs.running.Unlock()
	f.mu.Lock()
	syncs.next = nil
	f.mu.Unlock()
	mine.err = f.sync(path)
	close(mine.ended)
}

func (f *Folders) sync(path string) error {
	err := f.Do(path)
	f.mu.Lock()
	defer f.mu.Unlock()
	switch {
	case err == nil:
		delete(f.unsynced, path)
	case f.unsynced == nil:
		f.unsynced = map[string]bool{path: true}
	default:
		f.unsynced[path] = true
	}
	return err
}

// AllSynced reports that no folder's last sync has failed.
func (f *Folders) AllSynced() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.unsynced) == 0
}

// Unsynced reports whether the last sync of a folder failed.
func (f *Folders) Unsynced(path string) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.unsynced[path]
}

// Settle makes up for a sync that failed. It is for who finds a file as it should
// be, which is only done once its folder is synced.
func (f *Folders) Settle(path string) error {
	if !f.Unsynced(path) {
		return nil
	}
	return f.Sync(path)
}

// Once makes the names in a folder durable, where its file system can. A folder
// that may be written but not listed can't be opened: its names are durable when
// the system writes them back.
func Once(path string) error {
	folder, err := os.Open(path)
	if errors.Is(err, fs.ErrPermission) {
		return nil
	}
	if err != nil {
		return err
	}
	defer folder.Close()
	if err := folder.Sync(); err != nil && !errors.Is(err, syscall.EINVAL) {
		return fmt.Errorf("sync folder %s: %w", path, err)
	}
	return nil
}

package foldersync

import (
	"errors"
	"io/fs"
	"path/filepath"
	"runtime"
	"sync"
	"testing"
)

var errDisk = errors.New("input/output error")

// Whoever asks while a folder is being synced waits for the next sync, which is
// one for all of them, and learns what came of that.
func TestManyAreServedByOneSync(t *testing.T) {
	const many = 10
	began, end := make(chan struct{}), make(chan error)
	syncs := 0
	f := &Folders{Do: func(string) error {
		syncs++
		began <- struct{}{}
		return <-end
	}}
	var first, others sync.WaitGroup
	first.Go(func() {
		if err := f.Sync("/a"); err != nil {
			t.Errorf("the first: %v", err)
		}
	})
	<-began
	for range many {
		others.Go(func() {
			if err := f.Sync("/a"); !errors.Is(err, errDisk) {
				t.Errorf("those who came meanwhile: %v", err)
			}
		})
	}
	for waiting := 0; waiting <= many; runtime.Gosched() {
		f.mu.Lock()
		waiting = f.of["/a"].waiting
		f.mu.Unlock()
	}
	end <- nil
	first.Wait()
	<-began
	end <- errDisk
	others.Wait()
	if syncs != 2 || len(f.of) != 0 {
		t.Errorf("%d syncs; %d folders are kept", syncs, len(f.of))
	}
}

// A folder whose sync failed is named until one has worked, and others are not.
func TestWhatFailedIsMadeUpFor(t *testing.T) {
	syncs := 0
	broken := errDisk
	f := &Folders{Do: func(string) error { syncs++; return broken }}
	settle := func(when, path string, want error, more int) {
		t.Helper()
		before := syncs
		if err := f.Settle(path); !errors.Is(err, want) || syncs-before != more {
			t.Errorf("%s: %v after %d syncs", when, err, syncs-before)
		}
		if open := want != nil; f.Unsynced(path) != open || path == "/a" && f.AllSynced() == open {
			t.Errorf("%s: %v, %v", when, f.Unsynced(path), f.AllSynced())
		}
	}
	settle("at first", "/a", nil, 0)
	if err := f.Sync("/a"); !errors.Is(err, errDisk) {
		t.Error(err)
	}
	settle("while it fails", "/a", errDisk, 1)
	settle("another one", "/b", nil, 0)
	broken = nil
	settle("when it works", "/a", nil, 1)
	settle("then", "/a", nil, 0)
}

func TestOnce(t *testing.T) {
	dir := t.TempDir()
	if err := Once(dir); err != nil {
		t.Error(err)
	}
	if err := Once("/proc/self"); err != nil { // can't be synced
		t.Error(err)
	}
	if err := Once(filepath.Join(dir, "none")); !errors.Is(err, fs.ErrNotExist) {
		t.Error(err)
	}
}

package writer

import (
	"errors"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/consul-ocsp/consul-ocsp/plugin/foldersync"
)

// brokenDisk fails each sync of a folder while err is set.
type brokenDisk struct {
	mu    sync.Mutex
	err   error
	syncs int
}

func (d *brokenDisk) sync(string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.syncs++
	return d.err
}

func (d *brokenDisk) set(err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.err, d.syncs = err, 0
}

var errDisk = errors.New("input/output error")

// A file that is in its place, or gone from it, while its folder could not be
// synced is not done before that is made up for; then it costs nothing more.
func TestFolderThatWasNotSynced(t *testing.T) {
	write := func(f file) error { _, err := f.replace([]byte("content"), always); return err }
	for name, c := range map[string]struct{ first, again func(f file) error }{
		"the same content": {write, write},
		"what is kept": {write, func(f file) error {
			_, err := f.replace([]byte("x"), func([]byte) (bool, error) { return false, nil })
			return err
		}},
		"what was removed":  {func(f file) error { _, err := f.remove(); return err }, func(f file) error { _, err := f.remove(); return err }},
		"removed by chance": {func(f file) error { _, err := f.removeIf(func([]byte) bool { return true }); return err }, func(f file) error { _, err := f.removeIf(nil); return err }},
	} {
		disk := &brokenDisk{}
		f := newFile(t)
		f.folders = &foldersync.Folders{Do: disk.sync}
		if err := os.WriteFile(f.path, []byte("before"), 0o600); err != nil {
			t.Fatal(err)
		}
		disk.set(errDisk)
		if err := c.first(f); !errors.Is(err, errDisk) {
			t.Errorf("%s: %v; want %v", name, err, errDisk)
		}
		for range 2 {
			if err := c.again(f); !errors.Is(err, errDisk) {
				t.Errorf("%s, again: %v; want %v", name, err, errDisk)
			}
		}
		disk.set(nil)
		for range 2 {
			if err := c.again(f); err != nil || disk.syncs != 1 {
				t.Errorf("%s, on a disk that works: %v after %d syncs; want one", name, err, disk.syncs)
			}
		}
	}
}

// So it is for a Writer's files, also for those that it takes away.
func TestWriterOnABrokenDisk(t *testing.T) {
	b := newBench(t)
	c := b.issue("www.example.com")
	c.ZeroWarning = true
	b.writer.Set([]Certificate{c})
	disk := &brokenDisk{}
	b.writer.folders.Do = disk.sync
	broken := func(when string, want bool) {
		t.Helper()
		for range 2 {
			for _, e := range b.writer.entries {
				if _, err := b.writer.handle(t.Context(), e); errors.Is(err, errDisk) != want {
					t.Errorf("%s: %v", when, err)
				}
			}
		}
	}
	der := b.answer(c, time.Minute)
	disk.set(errDisk)
	b.pass(from(c, der))
	broken("written", true)
	b.holds(c.Path+".ocsp", der)
	disk.set(nil)
	broken("written, and the disk works", false)
	disk.set(errDisk)
	b.clock.add(56 * time.Minute)
	broken("removed", true)
	b.holds(c.Path+".ocsp", nil)
	disk.set(nil)
	broken("removed, and the disk works", false)
}

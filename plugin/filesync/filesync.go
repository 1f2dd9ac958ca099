// Package filesync makes the contents of files durable, for many that are written
// at a time. A file system that is asked for one file after the other writes its
// journal for each; one that has been given all of them before it is asked for the
// first has written little more than once when it answers, and the others are
// durable by then.
package filesync

import (
	"os"
	"sync"
	"syscall"

	"golang.org/x/sync/errgroup"
)

// syncers is how many files are asked for at a time. Where there is a journal, all
// but the first answer at once; where there is none, each waits for the disk.
const syncers = 8

// All makes files durable, which are open for writing. Errors are in their order,
// nil for those that are.
func All(files []*os.File) []error {
	for _, file := range files {
		begin(file)
	}
	errs := make([]error, len(files))
	var group errgroup.Group
	group.SetLimit(syncers)
	for i, file := range files {
		group.Go(func() error {
			errs[i] = file.Sync()
			return nil
		})
	}
	_ = group.Wait() // each has its own error
	return errs
}

// Group serves many who write a file each: all that ask while others of the same
// device are being made durable are served together after them. A device that
// hangs holds up those who write to it, and nobody else. The zero value is ready,
// and safe for concurrent use.
type Group struct {
	mu      sync.Mutex
	devices map[uint64]*device
}

type device struct {
	next    *round // not begun; nil: nobody waits
	running sync.Mutex
}

// round are those that are served together.
type round struct {
	files []*os.File
	ended chan struct{}
	errs  []error
}

// Sync returns once file, which is open for writing and stays so, is durable, or
// why it is not.
func (g *Group) Sync(file *os.File) error {
	info, err := file.Stat()
	if err != nil {
		return err
	}
	d := g.device(info)
	g.mu.Lock()
	first := d.next == nil
	if first {
		d.next = &round{ended: make(chan struct{})}
	}
	mine, i := d.next, len(d.next.files)
	mine.files = append(mine.files, file)
	g.mu.Unlock()
	if first {
		g.serve(d, mine)
	}
	<-mine.ended
	return mine.errs[i]
}

// device is the one that a file is on; all are one where the system doesn't tell.
func (g *Group) device(info os.FileInfo) *device {
	var number uint64
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		number = uint64(st.Dev)
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.devices == nil {
		g.devices = map[uint64]*device{}
	}
	if g.devices[number] == nil {
		g.devices[number] = &device{}
	}
	return g.devices[number]
}

// serve is called by the first of a round, which others join until its turn comes.
func (g *Group) serve(d *device, mine *round) {
	d.running.Lock()
	defer d.running.Unlock()
	g.mu.Lock()
	d.next = nil
	g.mu.Unlock()
	mine.errs = All(mine.files)
	close(mine.ended)
}

// Package filesync makes the contents of files durable, for many that are written
// at a time. A file system that is asked for one file after the other writes its
// journal for each; one that has been given all of them before it is asked for the
// first has written little more than once when it answers, and the others are
// durable by then.
package filesync

import (
	"os"
	"sync"

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

// Group serves many who write a file each: all that ask while others are being
// made durable are served together after them. The zero value is ready, and safe
// for concurrent use.
type Group struct {
	mu      sync.Mutex
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
	g.mu.Lock()
	first := g.next == nil
	if first {
		g.next = &round{ended: make(chan struct{})}
	}
	mine, i := g.next, len(g.next.files)
	mine.files = append(mine.files, file)
	g.mu.Unlock()
	if first {
		g.serve(mine)
	}
	<-mine.ended
	return mine.errs[i]
}

// serve is called by the first of a round, which others join until its turn comes.
func (g *Group) serve(mine *round) {
	g.running.Lock()
	defer g.running.Unlock()
	g.mu.Lock()
	g.next = nil
	g.mu.Unlock()
	mine.errs = All(mine.files)
	close(mine.ended)
}

package testca

import (
	"os"
	"sync"
	"time"
)

// cachedIndex reads the index again when the file was changed or replaced, so
// that thousands of answers need not parse thousands of lines each.
type cachedIndex struct {
	ca *CA

	mu   sync.Mutex
	info os.FileInfo // of the file that last was read from
	last *index      // not changed once it is here
}

// settled is the age from which a file's time of change tells two states of it
// apart, whatever the file system's clock.
const settled = 2 * time.Second

func (x *cachedIndex) get() (*index, error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	// Before reading: what is changed in between is then read again next time.
	info, err := os.Stat(x.ca.indexPath())
	if err != nil {
		return nil, err
	}
	if x.last != nil && os.SameFile(info, x.info) && info.ModTime().Equal(x.info.ModTime()) &&
		info.Size() == x.info.Size() {
		return x.last, nil
	}
	read, err := x.ca.readIndex()
	if err != nil {
		return nil, err
	}
	x.info, x.last = info, read
	if time.Since(info.ModTime()) < settled {
		x.last = nil
	}
	return read, nil
}

package writer

import "sync"

// folders makes the names in folders durable, for many who write at a time: all
// that ask while a folder is being synced are served by one more sync.
type folders struct {
	mu sync.Mutex
	of map[string]*folderSyncs
}

// folderSyncs are one folder's. It is there while somebody waits.
type folderSyncs struct {
	waiting int
	running sync.Mutex
	next    *folderSync // not begun; nil: none is asked for
}

type folderSync struct {
	once sync.Once
	err  error
}

// sync returns once a sync of the folder that began after the call has ended.
func (f *folders) sync(path string) error {
	f.mu.Lock()
	if f.of == nil {
		f.of = map[string]*folderSyncs{}
	}
	syncs := f.of[path]
	if syncs == nil {
		syncs = &folderSyncs{}
		f.of[path] = syncs
	}
	if syncs.next == nil {
		syncs.next = &folderSync{}
	}
	mine := syncs.next
	syncs.waiting++
	f.mu.Unlock()

	syncs.running.Lock()
	mine.once.Do(func() {
		f.mu.Lock()
		syncs.next = nil
		f.mu.Unlock()
		mine.err = syncFolder(path)
	})
	syncs.running.Unlock()

	f.mu.Lock()
	defer f.mu.Unlock()
	if syncs.waiting--; syncs.waiting == 0 {
		delete(f.of, path)
	}
	return mine.err
}

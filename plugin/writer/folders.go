package writer

import "sync"

// folders makes the names in folders durable, for many who write at a time: all
// that ask while a folder is being synced are served by one more sync. Where that
// failed is remembered: a file that is in its place, but not for sure after a
// power cut, is not done.
type folders struct {
	mu       sync.Mutex
	of       map[string]*folderSyncs
	unsynced map[string]bool
	do       func(path string) error // nil: syncFolder
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
		mine.err = f.syncOnce(path)
	})
	syncs.running.Unlock()

	f.mu.Lock()
	defer f.mu.Unlock()
	if syncs.waiting--; syncs.waiting == 0 {
		delete(f.of, path)
	}
	return mine.err
}

func (f *folders) syncOnce(path string) error {
	do := f.do
	if do == nil {
		do = syncFolder
	}
	err := do(path)
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

// open reports whether the last sync of a folder failed; of any, without a path.
func (f *folders) open(path string) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.unsynced) > 0 && (path == "" || f.unsynced[path])
}

// sync makes the name of the file in its folder durable.
func (f file) sync(folder string) error {
	if f.folders == nil {
		return syncFolder(folder)
	}
	return f.folders.sync(folder)
}

// settle is for a file that is as it should be, and is only done once its folder
// is synced: it makes up for a sync that failed.
func (f file) settle() error {
	if f.folders == nil || !f.folders.open("") { // nearly always
		return nil
	}
	p, err := f.trust.locate(f.path)
	if err != nil || !f.folders.open(p.folder) {
		return err
	}
	return f.folders.sync(p.folder)
}
